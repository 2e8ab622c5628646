"""Ranked completion of several words, on plain sorted sets."""

import re

import redis

STOP_WORDS = frozenset("a an and at for in of on or the to with".split())
SHORTEST, LONGEST = 1, 12


def words(text: str) -> list:
    return [word for word in re.findall(r"\w+", text.lower()) if word not in STOP_WORDS]


class Engine:
    def __init__(self, store: redis.Redis, name: str = "complete"):
        self.store, self.name = store, name

    def _key(self, beginning: str) -> str:
        return f"{self.name}:{{{beginning[:LONGEST]}}}"

    def _keys_of(self, title: str) -> set:
        return {self._key(word[:size]) for word in words(title) for size in range(SHORTEST, len(word[:LONGEST]) + 1)}

    def add(self, identifier: str, title: str, score: float = 1.0):
        """Adds a title, or changes it."""
        self.remove(identifier)
        with self.store.pipeline() as pipeline:
            pipeline.hset(f"{self.name}:titles", identifier, title)
            for key in self._keys_of(title):
                pipeline.zadd(key, {identifier: score})
            pipeline.execute()

    def remove(self, identifier: str):
        title = self.store.hget(f"{self.name}:titles", identifier)
        if title is not None:
            with self.store.pipeline() as pipeline:
                pipeline.hdel(f"{self.name}:titles", identifier)
                for key in self._keys_of(title):
                    pipeline.zrem(key, identifier)
                pipeline.execute()

    def choose(self, identifier: str):
        """Somebody has chosen a title: it moves up."""
        title = self.store.hget(f"{self.name}:titles", identifier)
        if title is not None:
            with self.store.pipeline() as pipeline:
                for key in self._keys_of(title):
                    pipeline.zincrby(key, 1, identifier)
                pipeline.execute()

    def search(self, text: str, limit: int = 10) -> list:
        """Titles in which every word begins some word, the best first."""
        keys = [self._key(word) for word in words(text)]
        if not keys:
            return []
        if len(keys) == 1:
            found = self.store.zrange(keys[0], 0, limit - 1, desc=True)
        else:
            scored = self.store.zinter(keys, aggregate="MAX", withscores=True)
            found = [identifier for identifier, _ in sorted(scored, key=lambda pair: (-pair[1], pair[0]))[:limit]]
        return self.store.hmget(f"{self.name}:titles", found) if found else []
