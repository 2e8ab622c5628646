"""A bit for each user and day: how many came, and how many came back."""

from store import store

for day in range(3):
    store.delete(f"active:{day}")
    with store.pipeline() as pipeline:
        for user in range(0, 10_000, day + 1):  # everybody, every second, every third
            pipeline.setbit(f"active:{day}", user, 1)
        pipeline.execute()

counts = [store.bitcount(f"active:{day}") for day in range(3)]
print("active by day:", counts)
assert counts == [10_000, 5_000, 3_334]

store.bitop("AND", "retained", "active:0", "active:1", "active:2")
store.bitop("OR", "anybody", "active:1", "active:2")
retained, anybody = store.bitcount("retained"), store.bitcount("anybody")
print("on all three days:", retained, "· on day 1 or 2:", anybody)
assert retained == len(range(0, 10_000, 6)) and anybody == 6_667
assert store.bitpos("active:2", 0) == 1
print("bytes for a day:", store.strlen("active:0"))
assert store.strlen("active:0") == 1250
