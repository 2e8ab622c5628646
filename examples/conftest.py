"""What the examples' tests share: an Ochre for each test module, and processes that end with their test."""

import os
import pathlib
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest
import redis

TOP = pathlib.Path(__file__).parents[1]


def program() -> str:
    return os.environ.get("OCHRE_SERVER", str(TOP / "target/checked/ochre-server"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def eventually(what, seconds=30.0):
    """Waits until `what()` answers something true, and answers it."""
    deadline = time.monotonic() + seconds
    while True:
        answer = what()
        if answer:
            return answer
        assert time.monotonic() < deadline, f"{getattr(what, '__name__', what)} has not come true in {seconds} s"
        time.sleep(0.02)


class Ochre:
    def __init__(self, port: int):
        self.port = port
        self.url = f"redis://127.0.0.1:{port}"

    def client(self, **options) -> redis.Redis:
        return redis.Redis(port=self.port, decode_responses=True, **options)


@pytest.fixture(scope="module")
def ochre(tmp_path_factory):
    """A running server with empty databases."""
    port = free_port()
    folder = tmp_path_factory.mktemp("ochre")
    log = folder / "server.log"
    words = [program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), "--save", ""]
    with log.open("w") as out, subprocess.Popen(words, stdout=out, stderr=out) as server:
        try:
            eventually(lambda: "Ready to accept connections" in log.read_text() or server.poll() is not None)
            assert server.poll() is None, log.read_text()
            yield Ochre(port)
        finally:
            server.terminate()
    assert server.returncode == 0 and "panicked" not in log.read_text(), log.read_text()


class Processes:
    """Starts the example's own programs: each in its folder, with OCHRE_URL set."""

    def __init__(self, folder: pathlib.Path, scratch: pathlib.Path, ochre: Ochre):
        self.folder, self.scratch = folder, scratch
        self.environment = {
            **os.environ,
            "OCHRE_URL": ochre.url,
            "PATH": f"{pathlib.Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONDONTWRITEBYTECODE": "1",
            "PYTHONUNBUFFERED": "1",
        }
        self.running = []

    def start(self, *words, ready: str = "", **environment) -> subprocess.Popen:
        """Starts a program; waits until what it prints contains `ready`."""
        log = self.scratch / f"{len(self.running)}.log"
        with log.open("w") as out:
            process = subprocess.Popen(
                [str(word) for word in words],
                cwd=self.folder,
                env={**self.environment, **environment},
                stdout=out,
                stderr=out,
                start_new_session=True,
            )
        self.running.append((process, log))
        eventually(lambda: ready in log.read_text() or process.poll() is not None)
        assert process.poll() is None, log.read_text()
        return process

    def serve(self, *words, port: int, path: str = "/", **environment) -> str:
        """Starts a web server; waits until it answers. Answers its address."""
        process = self.start(*words, **environment)
        address = f"http://127.0.0.1:{port}"

        def answers():
            assert process.poll() is None, self.logs()
            try:
                return urllib.request.urlopen(address + path, timeout=5).status == 200
            except OSError:
                return False

        eventually(answers)
        return address

    def run(self, *words, **environment) -> str:
        """Runs a program to its end; answers what it printed."""
        words = [str(word) for word in words]
        done = subprocess.run(
            words, cwd=self.folder, env={**self.environment, **environment}, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    def logs(self) -> str:
        return "\n".join(log.read_text() for _, log in self.running)

    def end(self):
        for process, _ in self.running:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGTERM)
        for process, _ in self.running:
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                process.wait()


@pytest.fixture
def processes(request, tmp_path, ochre):
    """The example's programs; whatever still runs is ended after the test, and shown when it failed."""
    processes = Processes(request.path.parent, tmp_path, ochre)
    yield processes
    processes.end()
    print(processes.logs())
