"""Writes to the database what write_behind has put into the stream. May be killed at any time."""

import os
import sys
import time

import redis
from patterns import GROUP, STREAM, URL, Database


def main(path: str):
    cache, database = redis.Redis.from_url(URL, decode_responses=True), Database(path)
    try:
        cache.xgroup_create(STREAM, GROUP, id="0", mkstream=True)
    except redis.ResponseError as error:
        assert "BUSYGROUP" in str(error)
    print("ready", flush=True)
    start = "0"  # first what an earlier life of this worker has read and not acknowledged
    while True:
        answer = cache.xreadgroup(GROUP, "worker", {STREAM: start}, count=50, block=1000)
        entries = answer[0][1] if answer else []
        if not entries:
            start = ">"
            continue
        database.write({fields["item"]: int(fields["price"]) for _, fields in entries})
        time.sleep(float(os.environ.get("PAUSE_S", "0")))
        cache.xack(STREAM, GROUP, *[entry for entry, _ in entries])
        if start != ">":
            start = entries[-1][0]


if __name__ == "__main__":
    main(sys.argv[1])
