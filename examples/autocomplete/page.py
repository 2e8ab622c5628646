"""A page with a box that completes while one types."""

import os

import redis
from engine import Engine
from flask import Flask, jsonify, request

TITLES = {
    "1": ("The Art of Computer Programming", 9),
    "2": ("Programming Rust", 8),
    "3": ("The Rust Programming Language", 10),
    "4": ("Redis in Action", 7),
    "5": ("Designing Data-Intensive Applications", 9),
    "6": ("Computer Networks", 5),
    "7": ("Compilers: Principles, Techniques, and Tools", 6),
}
PAGE = """<!doctype html><title>Complete</title>
<h1>Titles</h1><input id=box autofocus placeholder="rust prog"><ul id=found></ul>
<script>
box.oninput = async () => {
  const answer = await fetch('/complete?q=' + encodeURIComponent(box.value));
  found.replaceChildren(...(await answer.json()).map(title => {
    const item = document.createElement('li'); item.textContent = title; return item;
  }));
};
</script>"""

app = Flask(__name__)
engine = Engine(redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True))


@app.get("/")
def page():
    return PAGE


@app.get("/complete")
def complete():
    return jsonify(engine.search(request.args.get("q", "")))


if __name__ == "__main__":
    for identifier, (title, score) in TITLES.items():
        engine.add(identifier, title, score)
    app.run(port=int(os.environ.get("PORT", "5000")))
