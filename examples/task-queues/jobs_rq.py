"""The job with rq: queued, waited for, and one that depends on another."""

import os
import time

import redis
import words
from rq import Queue


def total(identifier):
    """The number of words that another job has counted."""
    from rq.job import Job

    return sum(Job.fetch(identifier, connection=connection()).return_value().values())


def connection():
    return redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"))


def wait_for(job):
    while not job.is_finished:
        assert not job.is_failed, job.latest_result()
        time.sleep(0.02)
    return job.return_value()


if __name__ == "__main__":
    queue = Queue(connection=connection())
    first = queue.enqueue(words.count, words.TEXT)
    import jobs_rq

    second = queue.enqueue(jobs_rq.total, first.id, depends_on=first)
    print(wait_for(first) == words.EXPECTED)
    print(wait_for(second))
