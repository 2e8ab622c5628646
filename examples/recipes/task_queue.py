"""A queue of jobs: producers push, workers wait; a job in progress is never lost."""

import threading

from store import store

store.delete("jobs", "doing", "done")


def work(name: str):
    while True:
        job = store.brpop("jobs", timeout=5)
        if job is None or job[1] == "stop":
            return
        store.hset("done", job[1], name)


workers = [threading.Thread(target=work, args=(f"worker{number}",)) for number in range(4)]
for worker in workers:
    worker.start()
for number in range(200):
    store.lpush("jobs", f"job{number}")
store.lpush("jobs", *["stop"] * len(workers))
for worker in workers:
    worker.join()
print(store.hlen("done"), "jobs done by", len(set(store.hvals("done"))), "workers or fewer")
assert store.hlen("done") == 200 and store.llen("jobs") == 0

# With BLMOVE a job stands in another list until it is done: whoever dies leaves it there.
store.lpush("jobs", "careful")
job = store.blmove("jobs", "doing", 5, "RIGHT", "LEFT")
assert store.lrange("doing", 0, -1) == [job] == ["careful"]
store.lrem("doing", 1, job)
assert not store.exists("doing")
print("careful: moved, done, removed")
