import sys


def test_huey(processes):
    consumer = [sys.executable, "-m", "huey.bin.huey_consumer", "jobs_huey.huey", "--workers", "2", "--delay", "0.05"]
    processes.start(*consumer, ready="Huey consumer started")
    assert processes.run(sys.executable, "jobs_huey.py").split() == ["True", "True", "retried", "True"]


def test_rq(processes, ochre):
    processes.start("rq", "worker", "--url", ochre.url, ready="Listening on default")
    assert processes.run(sys.executable, "jobs_rq.py").split() == ["True", "9"]


def test_dramatiq(processes):
    words = [sys.executable, "-m", "dramatiq", "jobs_dramatiq", "--processes", "1", "--threads", "2"]
    processes.start(*words, ready="Worker process is ready for action.")
    assert processes.run(sys.executable, "jobs_dramatiq.py").split() == ["True", "True", "retried", "9"]
