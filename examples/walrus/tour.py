"""A tour of walrus on Ochre."""

import os
import time

from walrus import Database

db = Database.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"))


def containers():
    hash_ = db.Hash("person")
    hash_.update(name="Ada", born="1815")
    assert hash_["name"] == b"Ada" and "born" in hash_ and len(hash_) == 2
    numbers = db.List("numbers")
    numbers.extend(["1", "2", "3"])
    numbers.prepend("0")
    assert numbers[1:3] == [b"1", b"2"] and numbers.popleft() == b"0"
    one, other = db.Set("one"), db.Set("other")
    one.add("a", "b", "c")
    other.add("b", "c", "d")
    assert one & other == {b"b", b"c"} and one - other == {b"a"} and len(one | other) == 4
    scores = db.ZSet("scores")
    scores.add({"ada": 3, "bob": 1, "eve": 2})
    assert list(scores.as_items()) == [(b"bob", 1.0), (b"eve", 2.0), (b"ada", 3.0)]
    assert scores.range(0, 0, reverse=True, with_scores=True) == [(b"ada", 3.0)]
    bits = db.bit_field("bits")
    assert bits.incrby("u8", 0, 250).incrby("u8", 0, 10).execute() == [250, 4]
    seen = db.HyperLogLog("seen")
    seen.add("a", "b", "a")
    assert len(seen) == 2
    return "containers"


def cache_and_limits():
    cache = db.cache()
    calls = []

    @cache.cached(timeout=10)
    def slow(number):
        calls.append(number)
        return number * 2

    assert [slow(2), slow(2), slow(3)] == [4, 4, 6] and calls == [2, 3]
    limit = db.rate_limit("logins", limit=3, per=60)
    assert [limit.limit("ada") for _ in range(5)] == [False, False, False, True, True]
    assert limit.limit("bob") is False
    return "cache and limits"


def locks():
    lock = db.lock("work", ttl=5000)
    assert lock.acquire() and not db.lock("work", ttl=5000).acquire(block=False)
    assert lock.release() and db.lock("work", ttl=5000).acquire(block=False)
    return "locks"


def autocomplete():
    complete = db.autocomplete()
    for number, title in enumerate(["Redis in action", "Redis patterns", "Rust in action", "The art of computing"]):
        complete.store(number, title, data={"title": title})
    titles = [entry["title"] for entry in complete.search("redis")]
    assert sorted(titles) == ["Redis in action", "Redis patterns"], titles
    assert [entry["title"] for entry in complete.search("in act", limit=1)] != []
    complete.remove(0)
    assert [entry["title"] for entry in complete.search("redis")] == ["Redis patterns"]
    return "autocomplete"


def full_text():
    index = db.Index("documents", stemmer=True)
    index.add("1", "Hamlet is a tragedy about a prince")
    index.add("2", "Princes and kings are in all tragedies", kind="essay")
    index.add("3", "A comedy of errors")
    assert {document["content"][:6] for document in index.search("tragedy prince")} == {"Hamlet", "Prince"}
    assert [document["kind"] for document in index.search("king")] == ["essay"]
    assert len(index.search("tragedy | comedy")) == 3
    index.remove("1")
    assert len(index.search("tragedy")) == 1
    return "full text"


def streams():
    for key in ("orders", "payments"):
        db.Stream(key).clear()
    group = db.consumer_group("billing", ["orders", "payments"])
    group.create()
    group.set_id("$")
    for number in range(3):
        group.orders.add({"number": str(number)})
    group.payments.add({"amount": "7"})
    got = {stream: entries for stream, entries in group.read()}
    assert len(got[b"orders"]) == 3 and len(got[b"payments"]) == 1
    for identifier, _ in got[b"orders"][:2]:
        group.orders.ack(identifier)
    assert len(group.orders.pending()) == 1
    assert [fields for _, fields in db.Stream("orders")][0] == {b"number": b"0"}
    return "streams"


if __name__ == "__main__":
    for stop in (containers, cache_and_limits, locks, autocomplete, full_text, streams):
        began = time.perf_counter()
        name = stop()
        print(f"{name}: {(time.perf_counter() - began) * 1000:.0f} ms")
