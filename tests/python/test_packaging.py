"""The unit file, the Debian package and the image: that what they name is there, without systemd, cargo-deb or containers."""

import re
import shlex
import shutil
import subprocess
import tomllib

import pytest

from conftest import TOP, free_port, program

PACKAGING = TOP / "packaging"


@pytest.fixture(scope="module")
def directives():
    """The names of all settings."""
    page = subprocess.run([program(), "--print-directives"], capture_output=True, text=True, check=True).stdout
    names = set(re.findall(r"^\| `([a-z0-9_-]+)`", page, re.M))
    assert "port" in names and len(names) > 200
    return names


def settings_of(words):
    return [word.removeprefix("--") for word in words if word.startswith("--")]


def test_the_unit_starts_the_server_with_its_settings(directives):
    unit = (PACKAGING / "ochre-server.service").read_text()
    fields = dict(re.findall(r"^(\w+)=(.+)$", unit, re.M))
    words = shlex.split(fields["ExecStart"])
    assert words[:2] == ["/usr/bin/ochre-server", "/etc/ochre/ochre.conf"]
    assert set(settings_of(words)) <= directives and fields["Type"] == "notify" and "systemd" in words
    for wall in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "RestrictNamespaces", "MemoryDenyWriteExecute"):
        assert fields[wall] == "yes"
    assert "io_uring_setup" in unit


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_systemd_understands_the_unit(tmp_path):
    unit = (PACKAGING / "ochre-server.service").read_text()
    # Programs, users and documents that are named must exist; here they do not.
    unit = unit.replace("/usr/bin/ochre-server", "/bin/true").replace("User=ochre", "User=root").replace("Group=ochre", "Group=root")
    (tmp_path / "ochre-server.service").write_text(unit)
    checked = subprocess.run(["systemd-analyze", "verify", "--man=no", str(tmp_path / "ochre-server.service")],
                             capture_output=True, text=True)
    complaints = [line for line in checked.stderr.splitlines() if "ochre-server.service" in line]
    assert complaints == []


def test_the_settings_of_the_package_are_understood(tmp_path):
    conf = (PACKAGING / "ochre.conf").read_text()
    conf = conf.replace("/var/lib/ochre", str(tmp_path)).replace("/run/ochre", str(tmp_path))
    (tmp_path / "ochre.conf").write_text(conf)
    server = subprocess.Popen([program(), str(tmp_path / "ochre.conf"), "--port", str(free_port())],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    log = ""
    for line in server.stdout:
        log += line
        if "Ready to accept connections" in line:
            break
    server.terminate()
    assert server.wait(30) == 0 and "Ready" in log and "does nothing yet" not in log, log


def test_the_debian_package_holds_what_its_unit_needs():
    manifest = tomllib.loads((TOP / "server/Cargo.toml").read_text())
    deb = manifest["package"]["metadata"]["deb"]
    targets = {target + source.rsplit("/", 1)[1] for source, target, _ in deb["assets"]}
    for source, _, mode in deb["assets"]:
        assert source.startswith("target/") or (TOP / "server" / source).exists(), source
        assert re.fullmatch("[0-7]{3}", mode)
    assert {"usr/bin/ochre-server", "usr/bin/ochre-check-rdb", "usr/bin/ochre-check-aof", "etc/ochre/ochre.conf"} <= targets
    assert all(conf.lstrip("/") in targets for conf in deb["conf-files"])
    assert (PACKAGING / f"{deb['systemd-units']['unit-name']}.service").exists()
    assert (TOP / "server" / deb["license-file"][0]).exists()
    assert subprocess.run(["sh", "-n", str(PACKAGING / "debian/postinst")]).returncode == 0


def test_the_image_starts_what_it_builds(directives):
    lines = (PACKAGING / "Containerfile").read_text().replace("\\\n", " ").splitlines()
    words = [shlex.split(line) for line in lines if line and not line.startswith("#")]
    stages = [line for line in words if line[0] == "FROM"]
    assert [stage[1].rsplit(":", 1)[1] != "latest" for stage in stages] == [True, True]
    assert stages[0][1].endswith(":" + tomllib.loads((TOP / "Cargo.toml").read_text())["workspace"]["package"]["rust-version"] + "-bookworm")
    copied = set()
    for _, _, *sources, target in (line for line in words if line[0] == "COPY" and line[1].startswith("--from")):
        # Into a folder each keeps its name.
        copied |= {target + source.rsplit("/", 1)[1] for source in sources} if target.endswith("/") else {target}
    entry = next(line for line in lines if line.startswith("ENTRYPOINT"))
    assert re.search(r'"(.+?)"', entry)[1] in copied
    assert ["EXPOSE", "6379"] in words and ["STOPSIGNAL", "SIGTERM"] in words
    for line in words:
        if line[0] == "ENV":
            names = [word.split("=")[0].removeprefix("OCHRE_").lower().replace("_", "-") for word in line[1:]]
            assert set(names) <= directives
    ignored = (TOP / ".containerignore").read_text().split()
    assert "target" in ignored and "Cargo.lock" not in ignored and (TOP / "Cargo.lock").exists()
