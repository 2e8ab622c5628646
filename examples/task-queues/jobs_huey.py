"""The job with huey: a retried failure, a delay, and the result in Ochre."""

import os

import words
from huey import RedisHuey

huey = RedisHuey("words", url=os.environ.get("OCHRE_URL", "redis://localhost:6379"))


@huey.task()
def count(text):
    return words.count(text)


@huey.task(retries=2)
def fails_once():
    if huey.storage.conn.incr("huey-attempts") == 1:
        raise ValueError("the first time fails")
    return "retried"


def main():
    print(count(words.TEXT)(blocking=True, timeout=30) == words.EXPECTED)
    print(count.schedule((words.TEXT,), delay=1)(blocking=True, timeout=30) == words.EXPECTED)
    print(fails_once()(blocking=True, timeout=30))
    with huey.lock_task("only-one"):
        print(huey.is_locked("only-one"))


if __name__ == "__main__":
    # The consumer knows the tasks by the name of their module.
    import jobs_huey

    jobs_huey.main()
