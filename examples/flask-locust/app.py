"""A lookup that takes two seconds, with a cache in front of it when CACHE says so."""

import os
import time

import redis
from flask import Flask, jsonify

SLOW_S = 2
app = Flask(__name__)
cache = redis.Redis.from_url(os.environ.get("OCHRE_URL", "redis://localhost:6379"), decode_responses=True)


def look_up(word: str) -> str:
    time.sleep(SLOW_S)
    return word[::-1]


@app.get("/")
def root():
    return jsonify(alive=cache.ping())


@app.get("/lookup/<word>")
def lookup(word):
    if os.environ.get("CACHE") != "1":
        return jsonify(answer=look_up(word))
    answer = cache.get(f"lookup:{word}")
    if answer is None:
        answer = look_up(word)
        cache.set(f"lookup:{word}", answer, ex=300)
    return jsonify(answer=answer)


if __name__ == "__main__":
    app.run(port=int(os.environ.get("PORT", "5000")), threaded=True)
