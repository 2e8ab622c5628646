"""Strings, counters, expiry, and the keyspace as redis-py shows them."""

import pytest
import redis


def test_values_come_back(r):
    assert r.set("a", "1") is True
    assert r.get("a") == "1"
    assert r["a"] == "1"
    assert r.get("nothing") is None
    assert r.exists("a", "a", "nothing") == 2
    assert r.delete("a") == 1


def test_bytes_come_back_as_they_are(port, protocol):
    value = bytes(range(256)) * 40
    with redis.Redis(port=port, protocol=protocol) as client:
        client.set("bytes", value)
        assert client.get("bytes") == value


def test_a_condition_decides_whether_a_value_is_set(r):
    assert r.set("a", 1, nx=True) is True
    assert r.set("a", 2, nx=True) is None
    assert r.set("a", 3, xx=True, get=True) == "1"
    assert r.getset("a", 4) == "3"
    assert r.getdel("a") == "4"


def test_counters_count(r):
    assert r.incr("n") == 1
    assert r.incrby("n", 41) == 42
    assert r.decr("n", 2) == 40
    assert r.incrbyfloat("n", 0.5) == 40.5
    with pytest.raises(redis.ResponseError, match="not an integer"):
        r.incr("n")


def test_many_values_travel_together(r):
    assert r.mset({"a": 1, "b": 2}) is True
    assert r.mget("a", "nothing", "b") == ["1", None, "2"]
    assert r.msetnx({"b": 3, "c": 4}) in (False, 0)
    assert sorted(r.keys()) == ["a", "b"]


def test_deadlines_are_told(r):
    r.set("a", 1, ex=100)
    assert 0 < r.ttl("a") <= 100
    assert r.persist("a") is True
    assert r.ttl("a") == -1
    assert r.ttl("nothing") == -2
    assert r.pexpire("a", 100_000) is True
    assert 0 < r.pttl("a") <= 100_000
    assert r.expire("a", 50, gt=True) in (False, 0)


def test_scan_iter_finds_every_key_once_or_more(r):
    wanted = {f"key:{number}" for number in range(1000)}
    r.mset({key: 1 for key in wanted})
    assert set(r.scan_iter(count=50)) == wanted
    assert set(r.scan_iter(match="key:99?")) == {f"key:99{digit}" for digit in range(10)}


def test_keys_are_renamed_copied_and_typed(r):
    r.set("a", 1)
    r.rename("a", "b")
    assert r.type("b") == "string"
    assert r.copy("b", "c") is True
    assert r.dbsize() == 2
    with pytest.raises(redis.ResponseError, match="no such key"):
        r.rename("a", "b")


def test_bits_are_set_and_counted(r):
    assert r.setbit("bits", 7, 1) == 0
    assert r.getbit("bits", 7) == 1
    assert r.bitcount("bits") == 1
    assert r.bitpos("bits", 1) == 7
