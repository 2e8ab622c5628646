#!/usr/bin/env python3
"""The figures of the README, measured again. Needs Linux, Python 3.9, taskset and redis-benchmark (or valkey-benchmark).

  figures.py cpu    --server CMD --peer CMD [--cells GET:1,SET:64] [--rounds 5]   server CPU per operation, side by side
  figures.py memory --server CMD --peer CMD [--sets strings,hash,set,zset]        resident bytes per item, side by side
  figures.py expiry --server CMD                                                  how late a million keys expire, at what cost
  figures.py idle   --server CMD [--connections 10000]                            resident bytes of an idle connection
  figures.py growth --server CMD [--keys 20000000]                                the longest command while keys are inserted
  figures.py evalsha|multi|publish|streams --server CMD --peer CMD                server CPU per operation, side by side (live.py)
  figures.py blpop  --server CMD --peer CMD                                       from an LPUSH to the reply of a waiting BLPOP
  figures.py sunionstore --server CMD --peer CMD [--members 1000000]              how long GETs of other keys take meanwhile
  figures.py snapshot --server CMD [--peer CMD] [--keys 4000000] [--rate 50000]   BGSAVE of small keys under writes, then the load
  figures.py huge     --server CMD [--peer CMD] [--elements 10000000] [--kinds list,zset,hash,stream,string]
                                                                                  the longest command while a huge value is saved

CMD starts a server, for example "target/release/ochre-server --threads 1"; port and folder are added. Servers take turns,
each in a fresh process, pinned to core 0 with the client on core 1 (`cpu` only). CPU is the scheduler's own account of the
server's threads. Figures are medians.
"""
import argparse
import os
import shlex
import shutil
import signal
import socket
import statistics
import subprocess
import tempfile
import time

import live
import snapshots

VALUE = "x" * 64
RANDOM = "__rand_int__"
# Name: what is there before (count and words), the measured words, how many keys or members.
CELLS = {
    "GET": ((1_000_000, f"SET key:{{i:012d}} {VALUE}"), ["GET", f"key:{RANDOM}"], 1_000_000),
    "SET": ((1_000_000, f"SET key:{{i:012d}} {VALUE}"), ["SET", f"key:{RANDOM}", VALUE], 1_000_000),
    "INCR": ((1_000_000, "SET ctr:{i:012d} {i}"), ["INCR", f"ctr:{RANDOM}"], 1_000_000),
    "HSET": ((200_000, "HSET h:{i:012d} f1 v1 f2 v2 f3 v3"), ["HSET", f"h:{RANDOM}", "f2", VALUE[:16]], 200_000),
    "SADD": ((0, ""), ["SADD", "myset", f"element:{RANDOM}"], 1_000_000),
    "LPUSH": ((0, ""), ["LPUSH", "mylist", VALUE], 1),
    "RPOP": ((1_000_000, f"LPUSH mylist {VALUE}"), ["RPOP", "mylist"], 1),
    "ZADD": ((200_000, "ZADD zs {i} m:{i:012d}"), ["ZADD", "zs", RANDOM, f"m:{RANDOM}"], 200_000),
    "LRANGE100": ((100, f"RPUSH mylist {VALUE}"), ["LRANGE", "mylist", "0", "99"], 1),
}
SETS = {
    "strings": (10_000_000, "SET key:{i:012d} val:{i:012d}"),
    "hash": (1_000_000, "HSET h f:{i:012d} v:{i:012d}"),
    "set": (1_000_000, "SADD s m:{i:012d}"),
    "zset": (1_000_000, "ZADD z {i} m:{i:012d}"),
    "smallhash": (100_000, "HSET h:{i:012d} " + " ".join(f"field{j} value{j}" for j in range(10))),
}


class Server:
    """A server in a folder of its own, from start to stop."""

    def __init__(self, command, core=None):
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.folder = tempfile.mkdtemp(prefix="figures-")
        pin = [] if core is None else ["taskset", "-c", str(core)]
        options = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        options += [] if "--dir " in command else ["--dir", self.folder]
        self.log = open(os.path.join(self.folder, "log"), "wb")
        self.process = subprocess.Popen(pin + shlex.split(command) + options, stdout=self.log, stderr=self.log)
        for _ in range(200):
            try:
                self.connect().close()
                return
            except OSError:
                time.sleep(0.05)
        raise SystemExit(f"no answer from: {command}")

    def connect(self):
        return socket.create_connection(("127.0.0.1", self.port), timeout=120)

    def cpu_ns(self):
        total = 0
        for task in os.listdir(f"/proc/{self.process.pid}/task"):
            with open(f"/proc/{self.process.pid}/task/{task}/schedstat") as stat:
                total += int(stat.read().split()[0])
        return total

    def resident(self):
        with open(f"/proc/{self.process.pid}/status") as status:
            return next(int(line.split()[1]) * 1024 for line in status if line.startswith("VmRSS"))

    def send(self, commands, connection=None):
        """Pipelines commands, each a list of words, and reads one line of reply for each."""
        own = connection or self.connect()
        out = b"".join(b"*%d\r\n" % len(c) + b"".join(b"$%d\r\n%s\r\n" % (len(w), w) for w in c) for c in commands)
        own.sendall(out)
        got = b""
        while got.count(b"\r\n") < len(commands):
            got += own.recv(1 << 20)
        if connection is None:
            own.close()
        return got

    def fill(self, count, template, chunk=2000, each=lambda took_s: None):
        with self.connect() as connection:
            for start in range(0, count, chunk):
                batch = [template.format(i=i).encode().split(b" ") for i in range(start, min(count, start + chunk))]
                began = time.perf_counter()
                self.send(batch, connection)
                each(time.perf_counter() - began)

    def info(self, field):
        with self.connect() as connection:
            connection.sendall(b"INFO everything\r\n")
            got = b""
            while f"{field}:".encode() not in got or not got.endswith(b"\r\n"):
                part = connection.recv(1 << 20)
                if not part:
                    break
                got += part
        return got.split(f"{field}:".encode())[1].split(b"\r\n")[0].decode()

    def stop(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()
        self.log.close()
        shutil.rmtree(self.folder, ignore_errors=True)


def load(client, port, words, pipeline, count, space):
    command = ["taskset", "-c", "1", client, "-p", str(port), "-n", str(count), "-c", "50", "-P", str(pipeline), "-r", str(space), "--csv"]
    out = subprocess.run(command + words, capture_output=True, text=True, check=True).stdout
    return float(out.strip().splitlines()[-1].rsplit('","', 7)[1])


def cpu(options):
    client = options.client or shutil.which("valkey-benchmark") or shutil.which("redis-benchmark")
    print(f"{'cell':14}{'server':>10}{'peer':>10}{'ratio':>8}   (µs of server CPU per operation; ratio: peer / server)")
    for cell in options.cells.split(","):
        name, pipeline = cell.split(":")
        (count, template), words, space = CELLS[name]
        costs = {"server": [], "peer": []}
        for number in range(options.rounds):
            order = [("server", options.server), ("peer", options.peer)]
            for label, command in order if number % 2 == 0 else order[::-1]:
                server = Server(command, core=0)
                try:
                    server.fill(count, template)
                    rate = load(client, server.port, words, int(pipeline), 2000 * max(1, int(pipeline) // 2), space)
                    operations = min(int(rate * 2), 900_000 if name == "RPOP" else 1 << 40)
                    before = server.cpu_ns()
                    load(client, server.port, words, int(pipeline), operations, space)
                    costs[label].append((server.cpu_ns() - before) / 1000 / operations)
                finally:
                    server.stop()
        ratio = statistics.median(p / s for s, p in zip(costs["server"], costs["peer"]))
        print(f"{cell:14}{statistics.median(costs['server']):10.3f}{statistics.median(costs['peer']):10.3f}{ratio:8.2f}", flush=True)


def memory(options):
    for name in options.sets.split(","):
        count, template = SETS[name]
        used = []
        for command in (options.server, options.peer):
            server = Server(command)
            try:
                time.sleep(0.3)
                before = server.resident()
                server.fill(count, template)
                time.sleep(2)
                used.append((server.resident() - before) / count)
            finally:
                server.stop()
        print(f"{name:10} server {used[0]:8.1f}   peer {used[1]:8.1f} bytes per item   ratio {used[0] / used[1]:.3f}", flush=True)


def expiry(options):
    server = Server(options.server)
    try:
        start_ms = int(time.time() * 1000) + 15_000
        with server.connect() as connection:
            for first in range(0, 1_000_000, 2000):
                server.send([[b"SET", b"key:%d" % i, b"v", b"PXAT", b"%d" % (start_ms + i * 60 // 1000)]
                             for i in range(first, first + 2000)], connection)
        time.sleep(max(0, start_ms / 1000 - time.time()))
        before = server.cpu_ns()
        worst = 0
        for _ in range(60):
            time.sleep(1)
            now_ms = time.time() * 1000
            left = int(server.send([[b"DBSIZE"]]).strip()[1:])
            should_be = 1_000_000 - min(1_000_000, max(0, (now_ms - start_ms) * 1000 / 60))
            worst = max(worst, (left - should_be) * 60 / 1000)
        used = (server.cpu_ns() - before) / 60e9
        time.sleep(1)
        left = int(server.send([[b"DBSIZE"]]).strip()[1:])
        print(f"1,000,000 keys over 60 s: {used * 100:.1f} % of a core, at most {worst:.0f} ms behind when looked at, {left} left 1 s after the end")
        print("INFO expiry_lag_ms:", server.info("expiry_lag_ms"))
    finally:
        server.stop()


def idle(options):
    server = Server(options.server)
    try:
        before = server.resident()
        connections = [server.connect() for _ in range(options.connections)]
        for connection in connections:
            server.send([[b"PING"]], connection)
        time.sleep(1)
        print(f"{options.connections} idle connections: {(server.resident() - before) / len(connections):.0f} bytes each")
    finally:
        server.stop()


def growth(options):
    server = Server(options.server)
    try:
        server.fill(options.keys, "SET key:{i:012d} val:{i:012d}", chunk=1000)
        print("INFO latency_percentiles_usec_set:", server.info("latency_percentiles_usec_set"))
        print(f"{server.resident() / options.keys:.1f} resident bytes per key")
    finally:
        server.stop()


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    what = parser.add_subparsers(dest="what", required=True)
    for function in (cpu, memory, expiry, idle, growth):
        sub = what.add_parser(function.__name__)
        sub.set_defaults(run=function)
        sub.add_argument("--server", required=True)
        sub.add_argument("--client")
        if function in (cpu, memory):
            sub.add_argument("--peer", required=True)
    what.choices["cpu"].add_argument("--cells", default="GET:1,SET:1,GET:16,SET:16,GET:64,SET:64")
    what.choices["cpu"].add_argument("--rounds", type=int, default=5)
    what.choices["memory"].add_argument("--sets", default="strings,hash,set,zset,smallhash")
    what.choices["idle"].add_argument("--connections", type=int, default=10_000)
    what.choices["growth"].add_argument("--keys", type=int, default=20_000_000)
    for function in live.COMMANDS:
        sub = what.add_parser(function.__name__)
        sub.set_defaults(run=lambda options, function=function: function(options, Server))
        sub.add_argument("--server", required=True)
        sub.add_argument("--peer", required=True)
        sub.add_argument("--rounds", type=int, default=5)
        sub.add_argument("--seconds", type=float, default=2)
        sub.add_argument("--members", type=int, default=1_000_000)
    for function in snapshots.COMMANDS:
        sub = what.add_parser(function.__name__)
        sub.set_defaults(run=lambda options, function=function: function(options, Server))
        sub.add_argument("--server", required=True)
        sub.add_argument("--peer")
        sub.add_argument("--seconds", type=float, default=3)
    what.choices["snapshot"].add_argument("--keys", type=int, default=4_000_000)
    what.choices["snapshot"].add_argument("--rate", type=int, default=50_000)
    what.choices["huge"].add_argument("--elements", type=int, default=10_000_000)
    what.choices["huge"].add_argument("--kinds")
    options = parser.parse_args()
    options.run(options)


if __name__ == "__main__":
    main()
