"""A command as a line of text over a plain socket."""

import os
import socket
import sys


def ask(line: str, port: int) -> str:
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(line.encode() + b"\nQUIT\n")
        received = b""
        while chunk := connection.recv(4096):
            received += chunk
    return received.decode().removesuffix("+OK\r\n")


if __name__ == "__main__":
    words = ['"%s"' % word.replace('"', '\\"') for word in sys.argv[1:]]
    print(ask(" ".join(words), int(os.environ.get("OCHRE_PORT", "6379"))), end="")
