import sys


def test_every_kind_of_task(processes, ochre):
    worker = [sys.executable, "-m", "celery", "-A", "tasks", "worker", "--concurrency", "2", "--loglevel", "INFO"]
    processes.start(*worker, ready="ready.")
    printed = processes.run(sys.executable, "tasks.py").split("\n")
    assert printed == [
        "add 5",
        "flaky 3",
        "eta True",
        "chain 113",
        "chord 90",
        "limited True",
        "states TypeError",
        "",
    ]
    results = ochre.client(db=1)
    assert all(results.ttl(key) > 0 for key in results.keys("celery-task-meta-*"))
