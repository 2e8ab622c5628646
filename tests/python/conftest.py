"""A server for each test module, and clients of redis-py for each test."""

import os
import pathlib
import re
import socket
import subprocess
import sys

import pytest
import redis

TOP = pathlib.Path(__file__).parents[2]


def program() -> str:
    """The server: what OCHRE_SERVER names, or the one that `cargo xtask test` builds."""
    return os.environ.get("OCHRE_SERVER", str(TOP / "target/checked/ochre-server"))


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module", params=["--threads 1", "--threads 1 --shards 64", "--threads 4"])
def port(request, tmp_path_factory):
    """The port of a running server, in each layout of threads and shards."""
    port = free_port()
    folder = tmp_path_factory.mktemp("server")
    words = [program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *request.param.split()]
    log = []
    with subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as server:
        for line in server.stdout:
            log.append(line)
            if "Ready to accept connections" in line:
                break
        else:
            pytest.fail("the server does not start:\n" + "".join(log))
        yield port
        server.terminate()
        log.extend(server.stdout)
        assert server.wait(30) == 0, "".join(log)
    assert not re.search("panicked", "".join(log)), "".join(log)


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def protocol(request):
    return request.param


@pytest.fixture
def r(port, protocol):
    """A client that decodes replies, on an empty database."""
    client = redis.Redis(port=port, protocol=protocol, decode_responses=True, socket_timeout=30)
    client.flushall()
    yield client
    client.close()
