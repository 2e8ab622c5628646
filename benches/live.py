"""Figures of what reaches other clients and threads; sub-commands of figures.py.

`evalsha`, `multi`, `publish` and `streams` compare server CPU per operation as `figures.py cpu` does, with requests from here: a
pipeline at a time, the next once all replies of the last are read. `blpop` is the round trip from an LPUSH to the reply of the
BLPOP that waited for it. `sunionstore` is how long GETs of keys take that a long SUNIONSTORE has nothing to do with.
"""
import hashlib
import os
import random
import select
import socket
import statistics
import threading
import time

VALUE = b"x" * 64
END = b"$9\r\nthe--end!\r\n"
SCRIPT = b"local old = redis.call('GET', KEYS[1]) redis.call('SET', KEYS[1], ARGV[1]) return old"
KEYS = 200_000


def words(*parts):
    parts = [part if isinstance(part, bytes) else str(part).encode() for part in parts]
    return b"*%d\r\n" % len(parts) + b"".join(b"$%d\r\n%s\r\n" % (len(part), part) for part in parts)


def exchange(connection, requests):
    """Sends requests at once and reads until the reply of an ECHO behind them."""
    connection.sendall(requests + words("ECHO", "the--end!"))
    got = []
    tail = b""
    while not tail.endswith(END):
        part = connection.recv(1 << 20)
        if not part:
            raise SystemExit("the server closed the connection: " + repr(tail))
        got.append(part)
        tail = (tail + part)[-64:]
    return b"".join(got)


def key():
    return b"key:%012d" % random.randrange(KEYS)


class Evalsha:
    """EVALSHA of a script with two commands, 16 at once."""

    def prepare(self, server, connection):
        server.fill(KEYS, "SET key:{i:012d} " + VALUE.decode())
        exchange(connection, words("SCRIPT", "LOAD", SCRIPT))
        self.digest = hashlib.sha1(SCRIPT).hexdigest()

    def step(self, connection):
        exchange(connection, b"".join(words("EVALSHA", self.digest, 1, key(), VALUE) for _ in range(16)))
        return 16


class Multi:
    """MULTI, 10 SETs, EXEC, 16 such transactions at once."""

    def prepare(self, server, connection):
        server.fill(KEYS, "SET key:{i:012d} " + VALUE.decode())

    def step(self, connection):
        one = lambda: words("MULTI") + b"".join(words("SET", key(), VALUE) for _ in range(10)) + words("EXEC")
        exchange(connection, b"".join(one() for _ in range(16)))
        return 16


class Publish:
    """PUBLISH to 100 subscribers, one at a time; each reads all that comes."""

    def prepare(self, server, connection):
        self.subscribers = []
        for _ in range(100):
            subscriber = server.connect()
            subscriber.sendall(words("SUBSCRIBE", "channel"))
            subscriber.recv(1000)
            self.subscribers.append(subscriber)
        self.size = len(words("message", "channel", VALUE))

    def step(self, connection):
        connection.sendall(words("PUBLISH", "channel", VALUE))
        connection.recv(1000)
        for subscriber in self.subscribers:
            left = self.size
            while left > 0:
                left -= len(subscriber.recv(left))
        return 1


class Xadd:
    """XADD of one field, 16 at once."""

    def prepare(self, server, connection):
        pass

    def step(self, connection):
        exchange(connection, words("XADD", "stream", "*", "field", VALUE) * 16)
        return 16


class Consume:
    """XREADGROUP of one entry and its XACK, 16 at once; an operation is both."""

    def prepare(self, server, connection):
        self.entries = 0
        exchange(connection, words("XGROUP", "CREATE", "stream", "group", "$", "MKSTREAM"))
        for number in range(1, 300_001, 1000):
            adds = (words("XADD", "stream", f"{at}-1", "field", VALUE) for at in range(number, number + 1000))
            exchange(connection, b"".join(adds))

    def step(self, connection):
        first = self.entries + 1
        self.entries += 16
        read = words("XREADGROUP", "GROUP", "group", "consumer", "COUNT", 1, "STREAMS", "stream", ">")
        exchange(connection, read * 16)
        exchange(connection, b"".join(words("XACK", "stream", "group", f"{at}-1") for at in range(first, first + 16)))
        return 16


def compare(options, Server, cells):
    print(f"{'cell':14}{'server':>10}{'peer':>10}{'ratio':>8}   (µs of server CPU per operation; ratio: peer / server)")
    for cell in cells:
        costs = {"server": [], "peer": []}
        for number in range(options.rounds):
            order = [("server", options.server), ("peer", options.peer)]
            for label, command in order if number % 2 == 0 else order[::-1]:
                server = Server(command, core=0)
                os.sched_setaffinity(0, {1})
                try:
                    with server.connect() as connection:
                        work = cell()
                        work.prepare(server, connection)
                        until = time.monotonic() + 0.5
                        while time.monotonic() < until:
                            work.step(connection)
                        before, operations = server.cpu_ns(), 0
                        until = time.monotonic() + options.seconds
                        while time.monotonic() < until:
                            operations += work.step(connection)
                        costs[label].append((server.cpu_ns() - before) / 1000 / operations)
                finally:
                    server.stop()
        ratio = statistics.median(p / s for s, p in zip(costs["server"], costs["peer"]))
        name = cell.__name__.lower()
        print(f"{name:14}{statistics.median(costs['server']):10.3f}{statistics.median(costs['peer']):10.3f}{ratio:8.2f}", flush=True)


def evalsha(options, Server):
    compare(options, Server, [Evalsha])


def multi(options, Server):
    compare(options, Server, [Multi])


def publish(options, Server):
    compare(options, Server, [Publish])


def streams(options, Server):
    compare(options, Server, [Xadd, Consume])


def show(label, times_ns):
    times = sorted(times_ns)
    at = lambda part: times[min(len(times) - 1, int(len(times) * part))] / 1000
    line = "  ".join(f"{name} {at(part):9.0f}" for name, part in (("p50", 0.5), ("p90", 0.9), ("p99", 0.99), ("p99.9", 0.999)))
    print(f"{label:8} {len(times):7} times  {line}  max {times[-1] / 1000:9.0f} µs", flush=True)


def blpop(options, Server):
    """Waiters come one after the other, so that with several threads most wait on another one than the pusher's."""
    for label, command in (("server", options.server), ("peer", options.peer)):
        server = Server(command)
        try:
            waiters = [server.connect() for _ in range(8)]
            pusher = server.connect()
            for connection in [*waiters, pusher]:
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            times = []
            for number in range(options.rounds * 2000):
                waiter = waiters[number % len(waiters)]
                waiter.sendall(words("BLPOP", "list", 0))
                while b"blocked_clients:1" not in exchange(pusher, words("INFO", "clients")):
                    pass
                began = time.perf_counter_ns()
                pusher.sendall(words("LPUSH", "list", VALUE))
                waiter.recv(1000)
                times.append(time.perf_counter_ns() - began)
                pusher.recv(1000)
            show(label, times)
        finally:
            server.stop()


def sunionstore(options, Server):
    """A key counts as one that the SUNIONSTORE has nothing to do with if its GET is answered while another one runs; where there is
    no such key all count. Every connection gets the time from its request to its reply, also those that share a thread with it."""
    for label, command in (("server", options.server), ("peer", options.peer)):
        server = Server(command)
        try:
            for name in ("one", "two"):
                with server.connect() as connection:
                    for first in range(0, options.members, 5000):
                        exchange(connection, words("SADD", name, *(b"%s:%d" % (name.encode(), at) for at in range(first, first + 5000))))
            server.fill(200, "SET key:{i:012d} " + VALUE.decode())
            others = [server.connect() for _ in range(16)]
            union = server.connect()

            def run_union():
                began = time.perf_counter_ns()
                union.sendall(words("SUNIONSTORE", "three", "one", "two"))
                union.recv(1000)
                return time.perf_counter_ns() - began

            def unions(count, took):
                took.extend(run_union() for _ in range(count))

            # Which keys are free while it runs: each is asked for on a connection of its own.
            askers = [server.connect() for _ in range(200)]
            free = set()
            thread = threading.Thread(target=unions, args=(3, []))
            thread.start()
            time.sleep(0.02)
            for at, asker in enumerate(askers):
                asker.sendall(words("GET", b"key:%012d" % at))
            until = time.monotonic() + 0.1
            while thread.is_alive() and time.monotonic() < until:
                for asker in select.select(askers, [], [], 0.01)[0]:
                    free.add(askers.index(asker))
                    asker.recv(1000)
            thread.join()
            for asker in askers:
                asker.close()
            keys = sorted(free) if len(free) < 200 else range(200)
            keys = keys or range(200)
            took, times = [], []
            thread = threading.Thread(target=unions, args=(options.rounds, took))
            thread.start()
            while thread.is_alive():
                for connection in others:
                    began = time.perf_counter_ns()
                    connection.sendall(words("GET", b"key:%012d" % random.choice(keys)))
                    connection.recv(1000)
                    times.append(time.perf_counter_ns() - began)
                    time.sleep(0.0002)
            print(f"{label:8} SUNIONSTORE takes {statistics.median(took) / 1e6:.0f} ms; {len(free)} of 200 keys are free meanwhile")
            show(label, times)
        finally:
            server.stop()


COMMANDS = [evalsha, multi, publish, streams, blpop, sunionstore]
