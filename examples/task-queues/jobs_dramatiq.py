"""The job with dramatiq: results kept in Ochre, a retry, a delay, and a pipeline."""

import os

import dramatiq
import words
from dramatiq.brokers.redis import RedisBroker
from dramatiq.results import Results
from dramatiq.results.backends import RedisBackend

URL = os.environ.get("OCHRE_URL", "redis://localhost:6379")
broker = RedisBroker(url=URL)
broker.add_middleware(Results(backend=RedisBackend(url=URL)))
dramatiq.set_broker(broker)


@dramatiq.actor(store_results=True)
def count(text):
    return words.count(text)


@dramatiq.actor(store_results=True)
def total(counts):
    return sum(counts.values())


@dramatiq.actor(store_results=True, max_retries=3, min_backoff=50)
def fails_once():
    if broker.client.incr("dramatiq-attempts") == 1:
        raise ValueError("the first time fails")
    return "retried"


if __name__ == "__main__":
    print(count.send(words.TEXT).get_result(block=True, timeout=30_000) == words.EXPECTED)
    delayed = count.send_with_options(args=(words.TEXT,), delay=500)
    print(delayed.get_result(block=True, timeout=30_000) == words.EXPECTED)
    print(fails_once.send().get_result(block=True, timeout=30_000))
    print(dramatiq.pipeline([count.message(words.TEXT), total.message()]).run().get_result(block=True, timeout=30_000))
