"""Tasks of several kinds, their queue and their results in Ochre."""

import os
import time

from celery import Celery, chain, chord

URL = os.environ.get("OCHRE_URL", "redis://localhost:6379")
app = Celery("tasks", broker=f"{URL}/0", backend=f"{URL}/1")
app.conf.update(broker_connection_retry_on_startup=True, result_expires=600)


@app.task
def add(one, other):
    return one + other


@app.task(bind=True, max_retries=5)
def flaky(self, failures):
    """Fails so many times before it succeeds; answers how often it was tried."""
    if self.request.retries < failures:
        raise self.retry(countdown=0.1)
    return self.request.retries + 1


@app.task
def started_at():
    return time.time()


@app.task
def total(numbers):
    return sum(numbers)


@app.task(rate_limit="2/s")
def limited():
    return time.time()


def main():
    begin = time.time()
    print("add", add.delay(2, 3).get(timeout=30))
    print("flaky", flaky.delay(2).get(timeout=30))
    print("eta", started_at.apply_async(countdown=1).get(timeout=30) >= begin + 1)
    print("chain", chain(add.s(1, 2), add.s(10), add.s(100)).apply_async().get(timeout=30))
    print("chord", chord([add.s(number, number) for number in range(10)])(total.s()).get(timeout=30))
    moments = sorted(result.get(timeout=30) for result in [limited.delay() for _ in range(4)])
    print("limited", moments[-1] - moments[0] >= 1)
    print("states", add.delay(1, "x").get(timeout=30, propagate=False).__class__.__name__)


if __name__ == "__main__":
    main()
