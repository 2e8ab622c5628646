import concurrent.futures
import sys

import httpx
import pytest
from conftest import free_port


@pytest.fixture
def client(processes):
    port = free_port()
    words = [sys.executable, "shop.py", "runserver", "--noreload", str(port)]
    with httpx.Client(base_url=processes.serve(*words, port=port), timeout=30) as client:
        yield client


def test_pages_values_and_sessions(client, ochre):
    assert client.get("/slow").json() == client.get("/slow").json()
    assert [client.get("/square/7").json()["square"] for _ in range(3)] == [49] * 3
    assert client.get("/square/8").json() == {"square": 64, "calls_before": 1}
    assert client.get("/forget").json() == {"forgotten": 2}
    assert client.get("/forget").json() == {"forgotten": 0}
    assert [client.get("/visits").json()["visits"] for _ in range(3)] == [1, 2, 3]
    assert httpx.get(client.base_url.join("/visits")).json() == {"visits": 1}, "another browser, another session"
    assert ochre.client(db=1).keys("*sessions.cache*")


def test_one_of_many_works(client):
    with concurrent.futures.ThreadPoolExecutor(5) as threads:
        answers = [answer.json()["worked"] for answer in threads.map(lambda _: client.get("/once"), range(5))]
    assert answers.count(True) == 1
    assert client.get("/once").json() == {"worked": True}


def test_deadlines(client):
    assert client.get("/ttl").json() == {"ttl": [100, 0, 50, None]}
