"""Cache patterns in front of a database, with redis-py: sync, pooled and asyncio."""

import asyncio
import functools
import json
import os
import sqlite3
import time

import redis
import redis.asyncio

URL = os.environ.get("OCHRE_URL", "redis://localhost:6379")
STREAM, GROUP = "writes", "database"


class Database:
    """A table of prices that is slow to read, and counts how often it is."""

    def __init__(self, path: str, delay_s: float = 0.0):
        self.path, self.delay_s, self.reads = path, delay_s, 0
        with self.connect() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS prices (item TEXT PRIMARY KEY, price INTEGER)")

    def connect(self) -> sqlite3.Connection:
        return sqlite3.connect(self.path, timeout=30)

    def read(self, item: str):
        self.reads += 1
        time.sleep(self.delay_s)
        row = self.connect().execute("SELECT price FROM prices WHERE item = ?", (item,)).fetchone()
        return row and row[0]

    def write(self, prices: dict):
        with self.connect() as connection:
            connection.executemany("INSERT OR REPLACE INTO prices VALUES (?, ?)", prices.items())


def cache_aside(cache: redis.Redis, database: Database, item: str, ttl_s: int = 60):
    """The price of an item: from the cache if it is there, else from the database, and kept for the next one who asks."""
    known = cache.get(f"price:{item}")
    if known is not None:
        return json.loads(known)
    price = database.read(item)
    cache.set(f"price:{item}", json.dumps(price), ex=ttl_s)
    return price


async def cache_aside_async(cache: redis.asyncio.Redis, database: Database, item: str, ttl_s: int = 60):
    known = await cache.get(f"price:{item}")
    if known is not None:
        return json.loads(known)
    price = await asyncio.to_thread(database.read, item)
    await cache.set(f"price:{item}", json.dumps(price), ex=ttl_s)
    return price


def cached(cache: redis.Redis, ttl_s: int):
    """A decorator: what the function returned for the same arguments is returned again for `ttl_s` seconds."""

    def decorate(function):
        @functools.wraps(function)
        def call(*arguments):
            key = f"cached:{function.__name__}:{json.dumps(arguments)}"
            known = cache.get(key)
            if known is not None:
                return json.loads(known)
            answer = function(*arguments)
            cache.set(key, json.dumps(answer), ex=ttl_s)
            return answer

        return call

    return decorate


def write_through(cache: redis.Redis, database: Database, item: str, price: int):
    """Both know the price before this returns."""
    database.write({item: price})
    cache.set(f"price:{item}", json.dumps(price), ex=60)


def write_behind(cache: redis.Redis, item: str, price: int):
    """The cache knows the price at once, and a transaction has put it into the stream that the worker reads."""
    with cache.pipeline(transaction=True) as transaction:
        transaction.set(f"price:{item}", json.dumps(price))
        transaction.xadd(STREAM, {"item": item, "price": price})
        transaction.execute()


def invalidate(cache: redis.Redis, pattern: str) -> int:
    """Removes all keys that match, a few at a time; answers how many there were."""
    removed = 0
    batch = []
    for key in cache.scan_iter(match=pattern, count=500):
        batch.append(key)
        if len(batch) == 500:
            removed += cache.unlink(*batch)
            batch.clear()
    return removed + (cache.unlink(*batch) if batch else 0)


def once(cache: redis.Redis, key: str, ttl_s: int, compute):
    """The value of `key`. Of many who find nothing at the same time one computes it, and the others wait for that."""
    while True:
        known = cache.get(key)
        if known is not None:
            return json.loads(known)
        with cache.lock(f"lock:{key}", timeout=10, blocking_timeout=10):
            known = cache.get(key)
            if known is None:
                answer = compute()
                cache.set(key, json.dumps(answer), ex=ttl_s)
                return answer


if __name__ == "__main__":
    pool = redis.ConnectionPool.from_url(URL, decode_responses=True, max_connections=20)
    shop = Database("prices.db", delay_s=0.5)
    shop.write({"tea": 3})
    for attempt in ("first", "second"):
        began = time.perf_counter()
        price = cache_aside(redis.Redis(connection_pool=pool), shop, "tea")
        print(f"{attempt}: {price} in {(time.perf_counter() - began) * 1000:.1f} ms")
