import asyncio
import concurrent.futures
import os
import pathlib
import signal
import sys
import time

import pytest
import redis
import redis.asyncio
from conftest import eventually

sys.path.insert(0, str(pathlib.Path(__file__).parent))
import patterns  # noqa: E402


@pytest.fixture
def cache(ochre):
    pool = redis.ConnectionPool.from_url(ochre.url, decode_responses=True)
    client = redis.Redis(connection_pool=pool)
    client.flushall()
    return client


@pytest.fixture
def database(tmp_path):
    database = patterns.Database(str(tmp_path / "prices.db"))
    database.write({"tea": 3, "coffee": 4})
    return database


def test_the_database_is_asked_once(cache, database):
    assert [patterns.cache_aside(cache, database, "tea") for _ in range(3)] == [3, 3, 3]
    assert patterns.cache_aside(cache, database, "milk") is None
    assert patterns.cache_aside(cache, database, "milk") is None
    assert database.reads == 2
    assert 0 < cache.ttl("price:tea") <= 60


def test_asyncio_asks_once_too(ochre, cache, database):
    async def ask():
        async with redis.asyncio.Redis.from_url(ochre.url) as client:
            first = await patterns.cache_aside_async(client, database, "tea")
            rest = await asyncio.gather(*[patterns.cache_aside_async(client, database, "tea") for _ in range(20)])
            return [first, *rest]

    assert asyncio.run(ask()) == [3] * 21
    assert database.reads == 1


def test_a_decorated_function_runs_once_for_each_argument(cache):
    calls = []

    @patterns.cached(cache, ttl_s=1)
    def square(number):
        calls.append(number)
        return number * number

    assert [square(3), square(3), square(4)] == [9, 9, 16]
    assert calls == [3, 4]
    eventually(lambda: cache.dbsize() == 0)
    assert square(3) == 9
    assert calls == [3, 4, 3]


def test_write_through_changes_both(cache, database):
    patterns.cache_aside(cache, database, "tea")
    patterns.write_through(cache, database, "tea", 5)
    assert patterns.cache_aside(cache, database, "tea") == database.read("tea") == 5


def test_a_killed_worker_loses_no_write(cache, database, processes):
    for number in range(400):
        patterns.write_behind(cache, f"item{number}", number)
    for _ in range(3):
        # Killed between the database's commit and the acknowledgement.
        worker = processes.start(sys.executable, "worker.py", database.path, PAUSE_S="0.3", ready="ready")
        eventually(lambda: cache.xpending(patterns.STREAM, patterns.GROUP)["pending"] > 0)
        time.sleep(0.1)
        os.kill(worker.pid, signal.SIGKILL)
        worker.wait()
    for number in range(400, 500):
        patterns.write_behind(cache, f"item{number}", number)
    processes.start(sys.executable, "worker.py", database.path, ready="ready")

    def is_drained():
        group = cache.xinfo_groups(patterns.STREAM)[0]
        return group["pending"] == 0 and group["lag"] == 0

    eventually(is_drained)
    rows = dict(database.connect().execute("SELECT item, price FROM prices WHERE item LIKE 'item%'").fetchall())
    assert rows == {f"item{number}": number for number in range(500)}


def test_invalidation_leaves_other_keys(cache):
    cache.mset({f"price:{number}": number for number in range(2000)} | {"other": 1})
    assert patterns.invalidate(cache, "price:*") == 2000
    assert cache.keys() == ["other"]


def test_a_stampede_asks_the_database_once(cache, database):
    database.delay_s = 0.2
    with concurrent.futures.ThreadPoolExecutor(20) as threads:
        answers = list(threads.map(lambda _: patterns.once(cache, "tea", 60, lambda: database.read("tea")), range(20)))
    assert answers == [3] * 20
    assert database.reads == 1
