"""Who leads, what rank somebody has, and who is near."""

from store import store

store.delete("board")
store.zadd("board", {f"player{number}": number * 10 for number in range(1, 101)})
store.zincrby("board", 1000, "player7")
store.zadd("board", {"player50": 1}, gt=True)  # a worse result changes nothing

top = store.zrange("board", 0, 2, desc=True, withscores=True)
print("top:", top)
assert top == [("player7", 1070.0), ("player100", 1000.0), ("player99", 990.0)]

rank = store.zrevrank("board", "player50")
around = store.zrange("board", rank - 1, rank + 1, desc=True)
print("player50 is number", rank + 1, "between", around)
assert rank == 51 and around == ["player51", "player50", "player49"]

assert store.zcount("board", 500, "(600") == 10
print("10 players have 500 to 599 points")
