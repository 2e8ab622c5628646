"""What a snapshot costs those who are served meanwhile: many small keys, and few huge values, each server in turn.

Clients are threads of this program, so the longest waits hold its own and the system's, too: the same is measured without a snapshot
before, and both are shown. Extra memory is the growth of what the server and its children have for themselves (Pss).
"""
import os
import random
import threading
import time

FILL = {
    "strings": "for i = ARGV[1], ARGV[2] do redis.call('SET', 'key:' .. i, 'val:' .. i) end",
    "list": "for i = ARGV[1], ARGV[2] do redis.call('RPUSH', 'list', 'element:' .. i) end",
    "zset": "for i = ARGV[1], ARGV[2] do redis.call('ZADD', 'zset', i * 7919 % 1000003, 'member:' .. i) end",
    "hash": "for i = ARGV[1], ARGV[2] do redis.call('HSET', 'hash', 'field:' .. i, 'value:' .. i) end",
    "stream": "for i = ARGV[1], ARGV[2] do redis.call('XADD', 'stream', i + 1 .. '-0', 'sensor', i % 100, 'value', i) end",
    "string": "for i = ARGV[1], ARGV[2] do redis.call('SETRANGE', 'string', i * 64, string.format('%064d', i * 7919)) end",
}
# What is written while the snapshot runs, to the huge value itself.
WRITES = {
    "list": ["LPUSH list a", "RPOP list", "LSET list {i} x{i}", "LPOP list", "RPUSH list b"],
    "zset": ["ZADD zset {i} member:{i}", "ZREM zset member:{i}", "ZINCRBY zset 1 member:{i}"],
    "hash": ["HSET hash field:{i} x", "HDEL hash field:{i}"],
    "stream": ["XADD stream * sensor 1 value {i}", "XDEL stream {i}-0"],
    "string": ["SETRANGE string {i} abc", "SETBIT string {i} 1", "APPEND string more"],
}


def words(line):
    return [word.encode() for word in line.split(" ")]


def fill(server, kind, count):
    with server.connect() as connection:
        for start in range(0, count, 10_000):
            last = min(count, start + 10_000) - 1
            server.send([[b"EVAL", FILL[kind].encode(), b"0", b"%d" % start, b"%d" % last]], connection)


def private_bytes(server):
    """Of the server and the children that it has forked."""
    children = f"/proc/{server.process.pid}/task/{server.process.pid}/children"
    with open(children) as listed:
        pids = [server.process.pid, *map(int, listed.read().split())]
    total = 0
    for pid in pids:
        try:
            with open(f"/proc/{pid}/smaps_rollup") as rollup:
                total += sum(int(line.split()[1]) * 1024 for line in rollup if line.startswith("Pss:"))
        except OSError:
            pass
    return total


class Client(threading.Thread):
    """Sends batches of commands at a fixed rate, and notes how long each takes."""

    def __init__(self, server, lines, space, batch, rate):
        super().__init__(daemon=True)
        self.server, self.lines, self.space, self.batch, self.rate = server, lines, space, batch, rate
        self.took_ms, self.stopped = [], False
        self.start()

    def run(self):
        chance = random.Random(1)
        made = 0
        with self.server.connect() as connection:
            due = time.perf_counter()
            while not self.stopped:
                commands = []
                for _ in range(self.batch):
                    line = self.lines[made % len(self.lines)]
                    commands.append(words(line.format(i=chance.randrange(self.space))))
                    made += 1
                began = time.perf_counter()
                self.server.send(commands, connection)
                self.took_ms.append((time.perf_counter() - began) * 1000)
                due += self.batch / self.rate
                # A server that stood still is not asked for everything at once afterwards.
                due = max(due, time.perf_counter() - 0.01)
                time.sleep(max(0.0, due - time.perf_counter()))

    def stop(self):
        self.stopped = True
        self.join()
        took = sorted(self.took_ms)
        return took[int(len(took) * 0.999)] if took else 0.0, took[-1] if took else 0.0


def saved(server):
    """Takes a snapshot; answers how long it took."""
    began = time.time()
    server.send([[b"BGSAVE"]])
    while server.info("rdb_bgsave_in_progress") != "0":
        time.sleep(0.02)
    return time.time() - began


def extra_memory(server):
    """Takes a snapshot; answers the most memory meanwhile, as a part of what there was before.

    Apart from the one that is timed: who asks for these numbers holds up what the server wants of its address space.
    """
    before, peak = private_bytes(server), 0
    server.send([[b"BGSAVE"]])
    while server.info("rdb_bgsave_in_progress") != "0":
        peak = max(peak, private_bytes(server))
        time.sleep(0.02)
    return max(0, peak - before) / max(1, before)


def load_seconds(server, restart):
    """How long a server takes that starts from the file."""
    size = os.path.getsize(os.path.join(server.folder, "dump.rdb"))
    began = time.time()
    again = restart(server)
    while again.info("loading") != "0":
        time.sleep(0.01)
    took = time.time() - began
    again.stop()
    return took, size


def restarted(command, new_server):
    return lambda server: new_server(f"{command} --dir {server.folder}")


def each(options, new_server, body):
    for name, command in (("server", options.server), ("peer", options.peer)):
        if command:
            server = new_server(command)
            try:
                body(name, command, server)
            finally:
                server.stop()


def snapshot(options, new_server):
    def body(name, command, server):
        fill(server, "strings", options.keys)
        lines = ["SET key:{i} val:{i}"]

        def under_load(what):
            client = Client(server, lines, options.keys, 50, options.rate)
            time.sleep(0.5)
            answer = what()
            percentile, longest = client.stop()
            return answer, percentile, longest

        _, quiet, quiet_longest = under_load(lambda: time.sleep(options.seconds))
        took, percentile, longest = under_load(lambda: saved(server))
        extra, _, _ = under_load(lambda: extra_memory(server))
        loading, size = load_seconds(server, restarted(command, new_server))
        print(
            f"{name}: {options.keys} keys, {options.rate} SET/s, batches of 50: BGSAVE {took:.2f} s, extra memory {100 * extra:.0f} %, "
            f"p99.9 {percentile:.2f} ms and longest {longest:.1f} ms (without: {quiet:.2f}, {quiet_longest:.1f}); "
            f"{size >> 20} MiB load in {loading:.2f} s",
            flush=True,
        )

    each(options, new_server, body)


def huge(options, new_server):
    sizes = {"list": options.elements, "zset": options.elements, "hash": options.elements // 2, "stream": options.elements // 2}
    sizes["string"] = options.elements * 50 // 64

    def body(name, command, server):
        for kind, count in sizes.items():
            if options.kinds and kind not in options.kinds.split(","):
                continue
            server.send([[b"FLUSHALL"]])
            fill(server, "strings", 10_000)
            fill(server, kind, count)

            def under_load(what):
                # One client writes to the huge value, one works on small keys.
                clients = [
                    Client(server, WRITES[kind], min(count, 10_000), 1, 2000),
                    Client(server, ["SET key:{i} x", "GET key:{i}"], 10_000, 1, 2000),
                ]
                time.sleep(0.5)
                answer = what()
                return answer, [client.stop()[1] for client in clients]

            _, quiet = under_load(lambda: time.sleep(options.seconds))
            took, longest = under_load(lambda: saved(server))
            extra, _ = under_load(lambda: extra_memory(server))
            print(
                f"{name}: {kind} of {count}: BGSAVE {took:.2f} s, extra memory {100 * extra:.0f} %, longest command on it {longest[0]:.1f} ms "
                f"(without: {quiet[0]:.1f}), on others {longest[1]:.1f} ms (without: {quiet[1]:.1f})",
                flush=True,
            )

    each(options, new_server, body)


COMMANDS = (snapshot, huge)
