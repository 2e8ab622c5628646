import sys
import time

import httpx
import pytest
from conftest import eventually, free_port


@pytest.fixture
def client(processes):
    port = free_port()
    words = [sys.executable, "-m", "uvicorn", "app:app", "--port", port, "--log-level", "warning"]
    with httpx.Client(base_url=processes.serve(*words, port=port), timeout=30) as client:
        yield client


def test_the_second_call_is_quick(client):
    first = client.get("/report/10")
    began = time.perf_counter()
    second = client.get("/report/10")
    took_s = time.perf_counter() - began
    assert (first.headers["X-Cache"], second.headers["X-Cache"]) == ("miss", "hit")
    assert first.json() == second.json() and first.json()["sum"] == 55
    # The slow path sleeps for a second: it was not taken.
    assert took_s < 1


def test_limits_are_for_each_user_and_end(client):
    def statuses(user):
        return [client.get("/limited", headers={"user": user}).status_code for _ in range(6)]

    # The window may end in between, but not twice in a row.
    eventually(lambda: statuses("ada") == [200] * 5 + [429])
    assert client.get("/limited", headers={"user": "bob"}).status_code == 200
    eventually(lambda: client.get("/limited", headers={"user": "ada"}).status_code == 200)


def test_sessions_slide_and_end(client, ochre):
    assert client.get("/me").status_code == 401
    client.post("/login/ada")
    for _ in range(3):
        # Each request moves the end of the session: together they last longer than one session.
        time.sleep(1)
        assert client.get("/me").json() == {"user": "ada"}
    eventually(lambda: ochre.client().dbsize() == 0 or not ochre.client().keys("session:*"))
    assert client.get("/me").status_code == 401
    client.post("/login/ada")
    assert client.post("/logout").json() == {"ended": True}
    assert client.get("/me").status_code == 401


def test_many_lookups_at_once(client):
    assert [client.get("/dashboard").json()["sum"] for _ in range(3)] == [100, 200, 300]
