import pathlib
import sys

import httpx
from conftest import free_port

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from engine import Engine  # noqa: E402


def test_ranked_words(ochre):
    store = ochre.client()
    engine = Engine(store, "books")
    engine.add("1", "The Rust Programming Language", 10)
    engine.add("2", "Programming Rust", 8)
    engine.add("3", "Redis in Action", 7)
    assert engine.search("r") == ["The Rust Programming Language", "Programming Rust", "Redis in Action"]
    assert engine.search("rust of the") == ["The Rust Programming Language", "Programming Rust"]
    assert engine.search("prog ru", limit=1) == ["The Rust Programming Language"]
    assert engine.search("the") == engine.search("") == engine.search("rust redis") == []
    for _ in range(3):
        engine.choose("2")
    assert engine.search("rus") == ["Programming Rust", "The Rust Programming Language"]
    for identifier in ("1", "2", "3"):
        engine.remove(identifier)
    assert store.keys("books*") == []


def test_the_page(processes):
    port = free_port()
    address = processes.serve(sys.executable, "page.py", port=port, PORT=str(port))
    assert "<input id=box" in httpx.get(address).text
    found = httpx.get(address + "/complete", params={"q": "comp pr"}).json()
    assert found == ["The Art of Computer Programming", "Compilers: Principles, Techniques, and Tools"]
