"""Visitors counted within a percent, in at most 12 KiB a day."""

from store import store

for day in range(7):
    store.delete(f"visitors:{day}")
    store.pfadd(f"visitors:{day}", *[f"visitor{day * 1000 + number}" for number in range(5000)])

one_day = store.pfcount("visitors:0")
store.pfmerge("visitors:week", *[f"visitors:{day}" for day in range(7)])
week = store.pfcount("visitors:week")
print("a day:", one_day, "· the week:", week, "· really 5000 and 11000")
assert abs(one_day - 5000) < 5000 * 0.03 and abs(week - 11_000) < 11_000 * 0.03
assert week == store.pfcount(*[f"visitors:{day}" for day in range(7)])
assert store.strlen("visitors:week") < 12_500
