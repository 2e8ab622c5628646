"""A RESP client in one page: GET, SET, DELETE, MGET, MSET, FLUSH, with values that keep their types."""

import os
import socket


class Failure(Exception):
    """What the server answered with an error."""


class Client:
    def __init__(self, port: int, host: str = "127.0.0.1"):
        self.stream = socket.create_connection((host, port)).makefile("rwb")

    def call(self, *words):
        self._write(list(words))
        self.stream.flush()
        return self._read()

    def _write(self, value):
        if isinstance(value, str):
            value = value.encode()
        if isinstance(value, bytes):
            self.stream.write(b"$%d\r\n%s\r\n" % (len(value), value))
        elif isinstance(value, int):
            self.stream.write(b":%d\r\n" % value)
        elif value is None:
            self.stream.write(b"$-1\r\n")
        elif isinstance(value, (list, tuple)):
            self.stream.write(b"*%d\r\n" % len(value))
            for item in value:
                self._write(item)
        elif isinstance(value, dict):
            self.stream.write(b"%%%d\r\n" % len(value))
            for pair in value.items():
                self._write(pair[0])
                self._write(pair[1])
        else:
            raise TypeError(f"cannot send {type(value).__name__}")

    def _read(self):
        line = self.stream.readline().rstrip(b"\r\n")
        kind, rest = line[:1], line[1:]
        if kind == b"+":
            return rest.decode()
        if kind == b"-":
            raise Failure(rest.decode())
        if kind == b":":
            return int(rest)
        if kind == b"_" or rest == b"-1":
            return None
        if kind == b"$":
            return self.stream.read(int(rest) + 2)[:-2].decode()
        if kind == b"*":
            return [self._read() for _ in range(int(rest))]
        if kind == b"%":
            return {self._read(): self._read() for _ in range(int(rest))}
        raise Failure(f"cannot read {line!r}")

    def get(self, key):
        return self.call("GET", key)

    def set(self, key, value):
        return self.call("SET", key, value)

    def delete(self, *keys):
        return self.call("DELETE", *keys)

    def mget(self, *keys):
        return self.call("MGET", *keys)

    def mset(self, values):
        return self.call("MSET", *[word for pair in values.items() for word in pair])

    def flush(self):
        return self.call("FLUSH")


if __name__ == "__main__":
    client = Client(int(os.environ.get("OCHRE_PORT", "6379")))
    client.call("HELLO", "3")
    client.set("user", {"name": "Ada", "tags": ["first", 1843, None]})
    print(client.get("user"), client.call("TYPE", "user"))
