"""Values with types, as small clients send them: they outlive the server in both kinds of files."""

import os
import signal
import socket
import subprocess

import pytest

from conftest import free_port, program

ITEM = b"%2\r\n$1\r\na\r\n*3\r\n:-7\r\n$-1\r\n*0\r\n$1\r\nb\r\n$5\r\nhello\r\n"
SET = b"*3\r\n$3\r\nSET\r\n$1\r\nk\r\n" + ITEM


def start(folder, port, *words):
    words = [program(), "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder), *words]
    server = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    for line in server.stdout:
        if "Ready to accept connections" in line:
            return server
    raise AssertionError("the server does not start")


def ask(port, request, expected):
    with socket.create_connection(("127.0.0.1", port), 30) as connection:
        connection.sendall(request)
        received = b""
        while len(received) < len(expected):
            chunk = connection.recv(4096)
            assert chunk, received
            received += chunk
        assert received == expected


def check(port):
    ask(port, b"GET k\r\n", ITEM.replace(b"%2", b"*4"))
    ask(port, b"TYPE k\r\nTTL k\r\n", b"+structured\r\n:-1\r\n")
    ask(port, b"MGET k plain\r\n", b"*2\r\n" + ITEM.replace(b"%2", b"*4") + b"$4\r\ntext\r\n")


@pytest.mark.parametrize("preamble", ["yes", "no"])
def test_the_log_keeps_types(tmp_path, preamble):
    port = free_port()
    options = ["--appendonly", "yes", "--appendfsync", "always", "--aof-use-rdb-preamble", preamble]
    server = start(tmp_path, port, *options)
    ask(port, SET + b"SET plain text\r\n", b"+OK\r\n+OK\r\n")
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server = start(tmp_path, port, *options)
    check(port)
    ask(port, b"BGREWRITEAOF\r\n", b"+Background append only file rewriting started\r\n")
    for line in server.stdout:
        if "Background AOF rewrite finished successfully" in line:
            break
    os.kill(server.pid, signal.SIGKILL)
    server.wait()
    server = start(tmp_path, port, *options)
    check(port)
    server.terminate()
    server.wait(30)


def test_a_snapshot_keeps_types(tmp_path):
    port = free_port()
    server = start(tmp_path, port)
    ask(port, SET + b"SET plain text\r\nSAVE\r\n", b"+OK\r\n+OK\r\n+OK\r\n")
    server.kill()
    server.wait()
    server = start(tmp_path, port)
    check(port)
    server.terminate()
    server.wait(30)
