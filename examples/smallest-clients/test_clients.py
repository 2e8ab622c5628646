import pathlib
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from mini import Client, Failure  # noqa: E402

PERSON = {"name": "Ada", "born": 1815, "tags": ["first", 1843, None, []], "known": {"Babbage": {"since": 1833}}}


@pytest.fixture(params=[2, 3], ids=["resp2", "resp3"])
def client(request, ochre):
    client = Client(ochre.port)
    client.call("HELLO", str(request.param))
    client.version = request.param
    client.flush()
    return client


def test_lines(processes, ochre):
    environment = {"OCHRE_PORT": str(ochre.port)}

    def ask(*words):
        return processes.run(sys.executable, "lines.py", *words, **environment)

    assert ask("SET", "greeting", 'good "day"') == "+OK\n"
    assert ask("GET", "greeting") == '$10\ngood "day"\n'
    assert ask("DEL", "greeting") == ":1\n"
    assert ask("NONSENSE").startswith("-ERR unknown command 'NONSENSE'")


def test_strings(client):
    assert client.set("a", "1") == "OK"
    assert client.mset({"b": "2", "c": "3"}) == "OK"
    assert client.mget("a", "b", "missing", "c") == ["1", "2", None, "3"]
    assert client.delete("a", "b", "missing") == 2
    assert client.get("a") is None
    assert client.call("TYPE", "c") == "string"
    assert client.flush() == "OK"
    assert client.get("c") is None


def test_values_keep_their_types(client):
    def flat(value):
        """What RESP2 makes of dictionaries: a list of keys and values."""
        if isinstance(value, dict) and client.version == 2:
            return [flat(item) for pair in value.items() for item in pair]
        if isinstance(value, dict):
            return {key: flat(item) for key, item in value.items()}
        return [flat(item) for item in value] if isinstance(value, list) else value

    assert client.set("person", PERSON) == "OK"
    assert client.get("person") == flat(PERSON)
    assert client.call("TYPE", "person") == "structured"
    assert client.mset({"number": 7, "list": [1, "two"], "text": "plain"}) == "OK"
    assert client.mget("number", "list", "text", "missing") == [7, [1, "two"], "plain", None]
    assert client.call("TYPE", "text") == "string"
    with pytest.raises(Failure, match="WRONGTYPE"):
        client.call("LPUSH", "person", "x")
    assert client.delete("person", "number", "list") == 3


def test_bad_nesting_is_refused(client):
    deep = []
    for _ in range(100):
        deep = [deep]
    with pytest.raises(Failure, match="Protocol error"):
        client.set("deep", deep)
