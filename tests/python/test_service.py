"""The server as a service: its admin port, its logs, its files, and those who watch over it."""

import contextlib
import json
import os
import pathlib
import socket
import stat
import subprocess
import urllib.error
import urllib.request

import pytest
import redis
from prometheus_client.parser import text_string_to_metric_families

from conftest import free_port, program


@contextlib.contextmanager
def server(folder, *words, environment=None, **options):
    """A server in a folder, with its port; its log is the file `log` there."""
    port = free_port()
    process = subprocess.Popen(
        [program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--logfile", str(folder / "log"),
         "--threads", "2", *words], env=os.environ | (environment or {}), **options)
    try:
        wait_for(folder / "log", "Ready to accept connections", process)
        yield redis.Redis(port=port, socket_timeout=30, decode_responses=True), process
    finally:
        process.terminate()
        process.wait(30)
        assert "panicked" not in (folder / "log").read_text()


def wait_for(path, text, process=None):
    for _ in range(1_000_000):
        if path.exists() and text in path.read_text():
            return
        assert process is None or process.poll() is None, path.read_text()
    pytest.fail(f"{text!r} is not in {path}")


def get(port, path):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


@pytest.mark.parametrize("threads", ["1", "4"])
def test_metrics_are_those_of_redis_exporter(tmp_path, threads):
    admin = free_port()
    with server(tmp_path, "--admin-port", str(admin), "--threads", threads) as (r, _):
        for number in range(100):
            r.set(f"key:{number}", "value", ex=1000 if number < 10 else None)
        r.get("key:1"), r.get("nothing")
        r.move("key:99", 3)
        with pytest.raises(redis.ResponseError):
            r.execute_command("NOSUCH")
        status, text = get(admin, "/metrics")
        assert status == 200
        families = {family.name: family for family in text_string_to_metric_families(text)}
        samples = {(sample.name, tuple(sorted(sample.labels.items()))): sample.value
                   for family in families.values() for sample in family.samples}
        value = lambda name, **labels: samples[(name, tuple(sorted(labels.items())))]
        assert value("redis_up") == 1 and value("redis_connected_clients") == 1
        assert value("redis_db_keys", db="db0") == 99 and value("redis_db_keys_expiring", db="db0") == 10
        assert value("redis_db_keys", db="db3") == 1
        assert value("redis_commands_total", cmd="set") == 100
        assert 0 < value("redis_commands_duration_seconds_total", cmd="set") < 60
        assert value("redis_keyspace_misses_total") == 1
        assert value("redis_errors_total", err="ERR") >= 1
        assert value("redis_memory_used_bytes") > 100_000 and value("redis_memory_max_bytes") == 0
        assert value("redis_commands_latencies_usec_bucket", cmd="set", le="+Inf") == 100
        assert value("redis_commands_latencies_usec_count", cmd="set") == 100
        assert value("redis_latency_percentiles_usec", cmd="set", quantile="0.5") > 0
        assert value("redis_uptime_in_seconds") >= 0 and value("redis_config_maxclients") == 10_000
        labels = families["redis_instance_info"].samples[0].labels
        assert labels["role"] == "master" and labels["redis_mode"] == "standalone"
        kinds = {name: family.type for name, family in families.items()}
        assert kinds["redis_commands_processed"] == "counter" and kinds["redis_commands_latencies_usec"] == "histogram"
        # The same numbers as INFO's.
        stats = r.info("stats")
        assert value("redis_connections_received_total") == stats["total_connections_received"]
        assert value("redis_keyspace_hits_total") == stats["keyspace_hits"] > 0
        assert len(families) > 120


def test_health_and_wrong_requests(tmp_path):
    admin = free_port()
    with server(tmp_path, "--admin-port", str(admin)):
        assert get(admin, "/healthz") == (200, "ok\n")
        assert get(admin, "/readyz") == (200, "ok\n")
        assert get(admin, "/nothing")[0] == 404
        for request, answer in [(b"POST /metrics HTTP/1.1\r\n\r\n", b"HTTP/1.1 405 "), (b"PING\r\n\r\n", b"HTTP/1.1 400 "),
                                (b"GET / HTTP/1.1\r\nX: " + b"x" * 10_000, b"HTTP/1.1 431 "), (b"", b"")]:
            with socket.create_connection(("127.0.0.1", admin), timeout=30) as connection:
                connection.sendall(request)
                connection.shutdown(socket.SHUT_WR)
                assert connection.makefile("rb").read(13) == answer, request


def test_lines_of_the_log_are_json_or_logfmt_when_wanted(tmp_path):
    with server(tmp_path, "--log-format", "json", "--log-timestamp-format", "iso8601") as (r, _):
        lines = [json.loads(line) for line in (tmp_path / "log").read_text().splitlines()]
        assert lines[-1]["message"] == "Ready to accept connections" and lines[-1]["level"] == "notice"
        assert all(line["timestamp"].endswith("+00:00") for line in lines)
        r.config_set("log-format", "logfmt")
        # Whoever rotates logs moves the file away; the next line begins a new one.
        (tmp_path / "log").rename(tmp_path / "old")
        with pytest.raises(redis.ResponseError):
            r.config_set("bind", "203.0.113.7")
        line = (tmp_path / "log").read_text().splitlines()[0]
        assert line.startswith("pid=") and ' level=warning message="' in line


def test_systemd_is_told_and_the_pid_file_comes_and_goes(tmp_path):
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(str(tmp_path / "notify"))
        systemd.settimeout(30)
        environment = {"NOTIFY_SOCKET": str(tmp_path / "notify")}
        words = ["--supervised", "systemd", "--pidfile", str(tmp_path / "pid")]
        with server(tmp_path, *words, environment=environment) as (r, process):
            assert "READY=1" in systemd.recv(1000).decode().split("\n")
            assert int((tmp_path / "pid").read_text()) == process.pid
            assert r.info("server")["process_supervised"] == "systemd"
        assert "STOPPING=1" in systemd.recv(1000).decode()
        assert not (tmp_path / "pid").exists()


def test_a_daemon_leaves_its_parent_and_its_terminal(tmp_path):
    port = free_port()
    words = ["--port", str(port), "--bind", "127.0.0.1", "--dir", str(tmp_path), "--daemonize", "yes",
             "--pidfile", str(tmp_path / "pid"), "--logfile", str(tmp_path / "log")]
    started = subprocess.run([program(), *words], capture_output=True, timeout=60)
    assert started.returncode == 0 and started.stdout == b""
    wait_for(tmp_path / "log", "Ready to accept connections")
    pid = int((tmp_path / "pid").read_text())
    assert os.getsid(pid) == pid and os.readlink(f"/proc/{pid}/fd/0") == "/dev/null"
    r = redis.Redis(port=port)
    assert r.ping() and r.info("server")["process_id"] == pid
    with contextlib.suppress(redis.ConnectionError):
        r.shutdown(nosave=True)
    wait_for(tmp_path / "log", "bye bye")


def test_secrets_and_settings_come_from_files_and_the_environment(tmp_path):
    (tmp_path / "password").write_text("secret word\n")
    (tmp_path / "conf").write_text("maxclients 50\n")
    environment = {"OCHRE_MAXCLIENTS": "77", "OCHRE_HZ": "20", "OCHRE_SAVE": "100 1 200 2", "OCHRE_NOT_A_SETTING": "1"}
    port = free_port()
    process = subprocess.Popen(
        [program(), str(tmp_path / "conf"), "--port", str(port), "--logfile", str(tmp_path / "log"), "--hz", "30",
         "--requirepass-file", str(tmp_path / "password")], env=os.environ | environment)
    try:
        wait_for(tmp_path / "log", "Ready to accept connections", process)
        with pytest.raises(redis.AuthenticationError):
            redis.Redis(port=port).ping()
        r = redis.Redis(port=port, password="secret word", decode_responses=True)
        assert r.config_get("maxclients") == {"maxclients": "77"} and r.config_get("hz") == {"hz": "30"}
        assert r.config_get("save") == {"save": "100 1 200 2"}
        assert "OCHRE_NOT_A_SETTING" in (tmp_path / "log").read_text()
        r.config_rewrite()
        assert "secret word" not in (tmp_path / "conf").read_text()
    finally:
        process.terminate()
        assert process.wait(30) == 0
    (tmp_path / "password").write_text("\n")
    failed = subprocess.run([program(), "--requirepass-file", str(tmp_path / "password")], capture_output=True, text=True)
    assert failed.returncode == 1 and "requirepass-file" in failed.stderr


def test_the_title_and_the_score_for_the_oom_killer(tmp_path):
    score = lambda pid: int(pathlib.Path(f"/proc/{pid}/oom_score_adj").read_text())
    title = lambda pid: pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").decode()
    with server(tmp_path, "--proc-title-template", "{title} at {listen-addr}") as (r, process):
        port = r.connection_pool.connection_kwargs["port"]
        assert title(process.pid) == f"{program()} at 127.0.0.1:{port}"
        r.config_set("proc-title-template", "short")
        assert title(process.pid) == "short"
        # The room of the arguments does not matter.
        long = "a title that is longer than all words of the command line together, " * 3
        r.config_set("proc-title-template", long)
        assert title(process.pid) == long.strip()
        before = score(process.pid)
        r.execute_command("CONFIG SET", "oom-score-adj-values", "10 20 30", "oom-score-adj", "yes")
        assert score(process.pid) == before + 10
        r.config_set("oom-score-adj", "no")
        assert score(process.pid) == before


def test_the_unix_socket_has_its_group_and_its_permissions(tmp_path):
    path = tmp_path / "socket"
    group = os.getgid()
    with server(tmp_path, "--unixsocket", str(path), "--unixsocketperm", "770", "--unixsocketgroup", str(group)):
        state = path.stat()
        assert state.st_gid == group and stat.S_IMODE(state.st_mode) == 0o770
        assert redis.Redis(unix_socket_path=str(path)).ping()
