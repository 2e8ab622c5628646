"""Scripts, functions and what redis-py builds on them: registered scripts, pipelines, locks."""

import pytest
import redis


def test_a_registered_script_is_sent_again_when_it_is_forgotten(r):
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    assert add(keys=["n"], args=[3]) == 3
    r.script_flush()
    assert add(keys=["n"], args=[3]) == 6


def test_scripts_in_a_pipeline(r):
    add = r.register_script("return redis.call('incrby', KEYS[1], ARGV[1])")
    with r.pipeline() as pipeline:
        add(keys=["n"], args=[1], client=pipeline)
        add(keys=["n"], args=[1], client=pipeline)
        assert pipeline.execute() == [1, 2]


def test_a_lock_has_one_owner(r):
    with r.lock("lock", timeout=5) as lock:
        assert lock.owned()
        assert lock.extend(5)
        assert lock.reacquire()
        assert not r.lock("lock", timeout=5).acquire(blocking=False)
    assert r.exists("lock") == 0


def test_functions(r):
    code = "#!lua name=lib\nredis.register_function('f', function(keys, args) return {keys[1], args[1]} end)"
    assert r.function_load(code, replace=True) in ("lib", b"lib")
    assert [str(part).strip("b'") for part in r.fcall("f", 1, "k", "a")] == ["k", "a"]
    payload = r.function_dump()
    r.function_flush()
    with pytest.raises(redis.ResponseError):
        r.fcall("f", 0)
    r.function_restore(payload)
    assert r.fcall("f", 1, "k", "a")
