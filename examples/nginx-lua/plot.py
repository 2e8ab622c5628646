"""The times of cache misses as a picture: misses.png."""

import os
import sys

import matplotlib
import redis

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

store = redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True)
times_ms = [int(time) for time in store.lrange("miss_ms", 0, -1)]
stats = {name: int(count) for name, count in store.hgetall("stats").items()}
figure, axes = plt.subplots(figsize=(6, 3))
axes.plot(times_ms, ".", color="#b5651d")
axes.set(xlabel="miss", ylabel="ms", ylim=(0, None), title=f"{stats.get('hits', 0)} hits, {stats.get('misses', 0)} misses")
figure.tight_layout()
figure.savefig(sys.argv[1] if len(sys.argv) > 1 else "misses.png", dpi=100)
print(len(times_ms), "misses")
