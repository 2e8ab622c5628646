"""Readings in a stream: asked for by time, kept to a length, shared by two consumers."""

from store import store

store.delete("sensor")
for second in range(1000):
    store.xadd("sensor", {"celsius": 20 + second % 10}, id=f"{1_700_000_000_000 + second * 1000}-0")

minute = store.xrange("sensor", 1_700_000_060_000, 1_700_000_119_999)
mean = sum(float(fields["celsius"]) for _, fields in minute) / len(minute)
print("readings in the second minute:", len(minute), "· mean:", mean)
assert len(minute) == 60 and mean == 24.5

store.xtrim("sensor", maxlen=100, approximate=False)
newest = store.xrevrange("sensor", count=1)[0]
print("kept:", store.xlen("sensor"), "· newest:", newest)
assert store.xlen("sensor") == 100 and newest == ("1700000999000-0", {"celsius": "29"})

store.xgroup_create("sensor", "plots", id="0")
seen = {}
for consumer in ("left", "right", "left"):
    ((_, entries),) = store.xreadgroup("plots", consumer, {"sensor": ">"}, count=40)
    seen[consumer] = seen.get(consumer, 0) + len(entries)
    store.xack("sensor", "plots", *[entry for entry, _ in entries])
print("read by consumer:", seen)
assert seen == {"left": 60, "right": 40} and store.xpending("sensor", "plots")["pending"] == 0
