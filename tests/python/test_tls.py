"""TLS as clients meet it: redis-py with and without certificates, redis-cli, new files while the server runs."""

import shutil
import socket
import ssl
import subprocess

import pytest
import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from conftest import free_port, program


def openssl(folder, *words, **options):
    subprocess.run(["openssl", *words], cwd=folder, check=True, capture_output=True, **options)


def make_certificate(folder, name):
    """A key and a certificate of the folder's authority for `name`."""
    openssl(folder, "req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", f"{name}.key", "-subj", f"/O=Test/CN={name}", "-out", f"{name}.csr")
    (folder / "names").write_text("subjectAltName=DNS:localhost,IP:127.0.0.1,URI:urn:test:" + name + "\n")
    openssl(folder, "x509", "-req", "-in", f"{name}.csr", "-CA", "ca.crt", "-CAkey", "ca.key", "-CAcreateserial",
            "-days", "2", "-extfile", "names", "-out", f"{name}.crt")


class Server:
    def __init__(self, folder, *words):
        self.folder = folder
        self.port, self.tls_port = free_port(), free_port()
        self.log = folder / "log"
        self.process = subprocess.Popen(
            [program(), "--port", str(self.port), "--tls-port", str(self.tls_port), "--bind", "127.0.0.1",
             "--dir", str(folder), "--logfile", str(self.log), "--loglevel", "debug", "--threads", "2",
             "--tls-cert-file", "server.crt", "--tls-key-file", "server.key", "--tls-ca-cert-file", "ca.crt", *words])
        self.wait_for("Ready to accept connections")

    def wait_for(self, text):
        """Waits until the log holds a text."""
        seen = ""
        for _ in range(1_000_000):
            seen = self.log.read_text() if self.log.exists() else ""
            if text in seen:
                return
            assert self.process.poll() is None, seen
        pytest.fail(f"{text!r} is not in the log:\n{seen}")

    def client(self, name="client", **options):
        if name:
            options |= {"ssl_certfile": str(self.folder / f"{name}.crt"), "ssl_keyfile": str(self.folder / f"{name}.key")}
        return redis.Redis(port=self.tls_port, ssl=True, ssl_ca_certs=str(self.folder / "ca.crt"), socket_timeout=30,
                           decode_responses=True, retry=Retry(NoBackoff(), 0), **options)

    def plain(self):
        return redis.Redis(port=self.port, socket_timeout=30, decode_responses=True)


@pytest.fixture(scope="module", params=["auto", "epoll"])
def server(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tls")
    openssl(folder, "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes",
            "-keyout", "ca.key", "-subj", "/O=Test/CN=Authority", "-days", "2", "-out", "ca.crt")
    for name in ("server", "client"):
        make_certificate(folder, name)
    server = Server(folder, "--io-backend", request.param)
    yield server
    server.process.terminate()
    assert server.process.wait(30) == 0
    assert "panicked" not in server.log.read_text()


@pytest.mark.parametrize("protocol", [2, 3])
def test_clients_with_a_certificate_are_served(server, protocol):
    r = server.client(protocol=protocol)
    r.flushall()
    assert r.set("greeting", "hello") and r.get("greeting") == "hello"
    with r.pipeline(transaction=False) as pipeline:
        for number in range(10_000):
            pipeline.set(f"key:{number}", number)
        assert all(pipeline.execute())
    big = "x" * 3_000_000
    assert r.set("big", big) and r.get("big") == big
    assert server.plain().dbsize() == 10_002
    assert "tls" in r.client_info() and "tls" not in server.plain().client_info()


def test_messages_and_blocked_clients_work_inside(server):
    r, other = server.client(), server.client()
    listener = other.pubsub(ignore_subscribe_messages=False)
    listener.subscribe("news")
    assert listener.get_message(timeout=30)["type"] == "subscribe"
    assert server.plain().publish("news", "x" * 100_000) == 1
    assert listener.get_message(timeout=30)["data"] == "x" * 100_000
    listener.close()
    waiting = server.client(single_connection_client=True)
    connection = waiting.connection
    connection.send_command("BLPOP", "queue", 0)
    while r.info("clients")["blocked_clients"] == 0:
        pass
    r.rpush("queue", "job")
    assert connection.read_response() == ["queue", "job"]


def test_a_client_may_be_killed_while_bytes_are_on_their_way_in_both_directions(server):
    plain = server.plain()
    plain.set("big", "x" * 1_000_000)
    for _ in range(20):
        victim = server.client(single_connection_client=True)
        number = victim.client_id()
        for _ in range(20):
            victim.connection.send_command("GET", "big")
        victim.connection._sock.sendall(b"*2\r\n$3\r\nGET\r\n$3\r\nbi")
        assert plain.client_kill_filter(_id=number) == 1
        victim.connection.disconnect()
    assert server.client().ping()


def test_clients_without_a_certificate_are_served_only_when_allowed(server):
    plain = server.plain()
    with pytest.raises((redis.ConnectionError, ssl.SSLError, OSError)):
        server.client(name=None).ping()
    server.wait_for("Error accepting a client connection")
    for allowed in ("optional", "no"):
        plain.config_set("tls-auth-clients", allowed)
        assert server.client(name=None).ping() and server.client().ping()
    plain.config_set("tls-auth-clients", "yes")


def test_clients_without_tls_are_refused_and_harm_nobody(server):
    for first in (b"PING\r\n", b"*1\r\n$4\r\nPING\r\n", b"\x16\x03\x01\x40\x00" + b"\x00" * 64, b"\x80" * 100, b"\x16"):
        with socket.create_connection(("127.0.0.1", server.tls_port), timeout=30) as plain:
            plain.sendall(first)
            plain.shutdown(socket.SHUT_WR)
            try:
                while plain.recv(4096):
                    pass
            except ConnectionResetError:
                pass
    assert server.client().ping()


def test_versions_and_ciphers_are_chosen(server):
    plain = server.plain()
    context = ssl.create_default_context(cafile=str(server.folder / "ca.crt"))
    context.load_cert_chain(server.folder / "client.crt", server.folder / "client.key")

    def agreed():
        with socket.create_connection(("127.0.0.1", server.tls_port), timeout=30) as plain_socket:
            with context.wrap_socket(plain_socket, server_hostname="localhost") as secure:
                secure.sendall(b"PING\r\n")
                assert secure.recv(100) == b"+PONG\r\n"
                return secure.version(), secure.cipher()[0]

    assert agreed()[0] == "TLSv1.3"
    plain.config_set("tls-protocols", "TLSv1.2")
    plain.config_set("tls-ciphers", "ECDHE-ECDSA-AES128-GCM-SHA256")
    assert agreed() == ("TLSv1.2", "ECDHE-ECDSA-AES128-GCM-SHA256")
    with pytest.raises(redis.ResponseError, match="Unable to update TLS"):
        plain.config_set("tls-ciphers", "NULL-MD5")
    assert plain.config_get("tls-ciphers") == {"tls-ciphers": "ECDHE-ECDSA-AES128-GCM-SHA256"}
    plain.execute_command("CONFIG SET", "tls-protocols", "", "tls-ciphers", "", "tls-ciphersuites", "TLS_AES_128_GCM_SHA256")
    assert agreed() == ("TLSv1.3", "TLS_AES_128_GCM_SHA256")
    plain.config_set("tls-ciphersuites", "")


def test_new_files_are_taken_over(server):
    plain, folder = server.plain(), server.folder
    serial = plain.info("tls")["tls_server_cert_serial"]
    kept = server.client(single_connection_client=True)
    assert kept.ping()
    make_certificate(folder, "newer")
    plain.execute_command("CONFIG SET", "tls-cert-file", "newer.crt", "tls-key-file", "newer.key")
    assert kept.ping() and server.client().ping()
    newer = plain.info("tls")["tls_server_cert_serial"]
    assert newer != serial
    with pytest.raises(redis.ResponseError, match="Unable to update TLS"):
        plain.config_set("tls-key-file", "client.key")
    openssl(folder, "pkcs8", "-topk8", "-v2", "aes256", "-in", "newer.key", "-out", "locked.key", "-passout", "pass:1234")
    with pytest.raises(redis.ResponseError, match="Unable to update TLS"):
        plain.config_set("tls-key-file", "locked.key")
    plain.execute_command("CONFIG SET", "tls-key-file-pass", "1234", "tls-key-file", "locked.key")
    assert server.client().ping()
    # The same names with other content are noticed by the clock.
    plain.execute_command("CONFIG SET", "tls-cert-file", "newer.crt", "tls-key-file", "newer.key")
    plain.config_set("tls-auto-reload-interval", 1)
    shutil.copy(folder / "server.crt", folder / "newer.crt")
    shutil.copy(folder / "server.key", folder / "newer.key")
    server.wait_for("TLS materials reloaded successfully")
    plain.config_set("tls-auto-reload-interval", 0)
    assert server.client().ping()


def test_the_port_moves_between_tls_and_plain(server):
    plain, old = server.plain(), server.tls_port
    plain.config_set("tls-port", 0)
    with pytest.raises((redis.ConnectionError, OSError)):
        server.client().ping()
    server.tls_port = free_port()
    plain.config_set("tls-port", server.tls_port)
    assert server.client().ping()
    server.client().config_set("port", 0)
    server.client().config_set("port", server.port)
    assert plain.ping() and old != server.tls_port


@pytest.mark.skipif(not shutil.which("redis-cli"), reason="redis-cli is not installed")
def test_redis_cli_speaks_tls(server):
    words = ["redis-cli", "--tls", "-p", str(server.tls_port), "--cacert", "ca.crt", "--cert", "client.crt", "--key", "client.key"]
    answer = subprocess.run([*words, "ECHO", "over TLS"], cwd=server.folder, capture_output=True, text=True, timeout=60)
    assert answer.stdout == "over TLS\n", answer


def test_a_record_may_come_in_pieces_while_messages_leave(server):
    context = ssl.create_default_context(cafile=str(server.folder / "ca.crt"))
    context.load_cert_chain(server.folder / "client.crt", server.folder / "client.key")
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    secure = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
    with socket.create_connection(("127.0.0.1", server.tls_port), timeout=30) as connection:
        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    connection.sendall(outgoing.read())
                    incoming.write(connection.recv(1 << 16))

        until_done(secure.do_handshake)
        secure.write(b"SUBSCRIBE pieces\r\n")
        connection.sendall(outgoing.read())
        assert until_done(lambda: secure.read(1000)).startswith(b"*3\r\n$9\r\nsubscribe")
        secure.write(b"PING\r\n")
        record = outgoing.read()
        for number, byte in enumerate(record[:-1]):
            connection.sendall(bytes([byte]))
            assert server.plain().publish("pieces", str(number)) == 1
            assert until_done(lambda: secure.read(1000)).endswith(b"%d\r\n" % number)
        connection.sendall(record[-1:])
        assert until_done(lambda: secure.read(1000)) == b"*2\r\n$4\r\npong\r\n$0\r\n\r\n"
