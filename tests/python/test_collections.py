"""Hashes, lists, sets and sorted sets as redis-py shows them, in both versions of the protocol."""

import threading

import pytest
import redis


def test_hashes_are_dictionaries(r):
    assert r.hset("h", mapping={"a": 1, "b": 2}) == 2
    assert r.hgetall("h") == {"a": "1", "b": "2"}
    assert r.hmget("h", "a", "nothing") == ["1", None]
    assert r.hincrby("h", "a", 41) == 42
    assert r.hincrbyfloat("h", "b", 0.5) == 2.5
    assert sorted(r.hkeys("h")) == ["a", "b"]
    assert r.hexists("h", "a") is True
    assert r.hdel("h", "a", "nothing") == 1
    assert dict(r.hscan_iter("h")) == {"b": "2.5"}
    assert r.hexpire("h", 100, "b") == [1]
    assert r.httl("h", "b") == [100]


def test_lists_have_two_ends(r):
    assert r.rpush("l", "a", "b", "c") == 3
    assert r.lpush("l", "z") == 4
    assert r.lrange("l", 0, -1) == ["z", "a", "b", "c"]
    assert r.lindex("l", 1) == "a"
    assert r.lset("l", 0, "y") is True
    assert r.linsert("l", "before", "b", "x") == 5
    assert r.lpop("l", 2) == ["y", "a"]
    assert r.lmove("l", "m", "LEFT", "RIGHT") == "x"
    assert r.rpop("l") == "c"
    assert r.llen("l") == 1
    assert r.sort("l", alpha=True) == ["b"]


def test_a_pop_waits_for_a_push(port, protocol, r):
    def push():
        with redis.Redis(port=port, protocol=protocol) as other:
            while not r.client_list(_type="normal") or other.info("clients")["blocked_clients"] == 0:
                pass
            other.rpush("l", "x")

    pusher = threading.Thread(target=push)
    pusher.start()
    with redis.Redis(port=port, protocol=protocol, decode_responses=True) as waiting:
        assert list(waiting.blpop("l", timeout=30)) == ["l", "x"]
    pusher.join()
    assert r.blpop("l", timeout=0.01) is None


def test_sets_are_sets(r):
    assert r.sadd("a", "1", "2", "3") == 3
    assert r.sadd("b", "2", "3", "4") == 3
    assert r.smembers("a") == {"1", "2", "3"}
    assert set(r.sinter("a", "b")) == {"2", "3"}
    assert set(r.sunion("a", "b")) == {"1", "2", "3", "4"}
    assert set(r.sdiff("a", "b")) == {"1"}
    assert r.sismember("a", "1") in (True, 1)
    assert r.smismember("a", ["1", "9"]) == [1, 0]
    assert r.spop("a") in {"1", "2", "3"}
    assert set(r.sscan_iter("b")) == {"2", "3", "4"}


def test_sorted_sets_are_ordered(r):
    assert r.zadd("z", {"a": 1, "b": 2, "c": 3}) == 3
    assert r.zrange("z", 0, -1) == ["a", "b", "c"]
    assert r.zscore("z", "b") == 2.0
    assert r.zrank("z", "c") == 2
    assert r.zincrby("z", 5, "a") == 6.0
    assert r.zrevrange("z", 0, 0) == ["a"]
    assert r.zrangebyscore("z", 2, 3) == ["b", "c"]
    assert r.zcount("z", "-inf", "(3") == 1
    assert [tuple(pair) for pair in r.zrange("z", 0, -1, withscores=True)] == [("b", 2.0), ("c", 3.0), ("a", 6.0)]
    assert dict(r.zscan_iter("z")) == {"a": 6.0, "b": 2.0, "c": 3.0}
    assert r.zremrangebyrank("z", 0, 0) == 1


def test_places_are_found(r):
    assert r.geoadd("g", (13.361389, 38.115556, "Palermo", 15.087269, 37.502669, "Catania")) == 2
    assert r.geodist("g", "Palermo", "Catania", "km") == pytest.approx(166.2742)
    assert r.geosearch("g", longitude=15, latitude=37, radius=200, unit="km", sort="ASC") == ["Catania", "Palermo"]
