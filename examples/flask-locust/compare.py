"""Runs Locust against the app without and with the cache, and writes comparison.md and comparison.png."""

import argparse
import csv
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402

HERE = pathlib.Path(__file__).parent


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def wait_for(address: str):
    for _ in range(500):
        try:
            return urllib.request.urlopen(address, timeout=5)
        except OSError:
            time.sleep(0.02)
    sys.exit(f"{address} does not answer")


def measure(cache: bool, users: int, seconds: int) -> dict:
    """The line of Locust's table for all requests."""
    port = free_port()
    environment = {**os.environ, "CACHE": "1" if cache else "0", "PORT": str(port)}
    app = subprocess.Popen([sys.executable, "app.py"], cwd=HERE, env=environment, stderr=subprocess.DEVNULL)
    try:
        wait_for(f"http://127.0.0.1:{port}/")
        with tempfile.TemporaryDirectory() as folder:
            words = ["locust", "--headless", "-f", HERE / "locustfile.py", "--host", f"http://127.0.0.1:{port}"]
            words += ["--users", str(users), "--spawn-rate", str(users), "--run-time", f"{seconds}s"]
            words += ["--csv", f"{folder}/run", "--only-summary", "--loglevel", "WARNING", "--stop-timeout", "5"]
            subprocess.run([sys.executable, "-m", *map(str, words)], check=True, stdout=subprocess.DEVNULL, cwd=folder)
            with open(f"{folder}/run_stats.csv") as table:
                return next(row for row in csv.DictReader(table) if row["Name"] == "Aggregated")
    finally:
        app.terminate()
        app.wait()


def main():
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--users", type=int, default=20)
    options.add_argument("--seconds", type=int, default=12)
    options.add_argument("--out", type=pathlib.Path, default=HERE)
    options = options.parse_args()
    runs = {name: measure(cache, options.users, options.seconds) for name, cache in (("without", False), ("with", True))}
    columns = ["Request Count", "Requests/s", "50%", "95%", "99%"]
    lines = [
        f"{options.users} users for {options.seconds} s; the source takes 2 s. Times in ms.",
        "",
        "| cache | requests | requests/s | median | 95 % | 99 % | failures |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, row in runs.items():
        figures = " | ".join(f"{float(row[column]):.0f}" for column in columns)
        lines.append(f"| {name} | {figures} | {row['Failure Count']} |")
    (options.out / "comparison.md").write_text("\n".join(lines) + "\n")
    figure, (left, right) = plt.subplots(1, 2, figsize=(8, 3))
    left.bar(list(runs), [float(row["Requests/s"]) for row in runs.values()], color=["#999", "#b5651d"])
    left.set_title("requests/s")
    right.bar(list(runs), [max(float(row["50%"]), 1) for row in runs.values()], color=["#999", "#b5651d"])
    right.set_yscale("log")
    right.set_title("median latency, ms (log)")
    figure.suptitle("A lookup of 2 s, without and with the cache")
    figure.tight_layout()
    figure.savefig(options.out / "comparison.png", dpi=100)
    print("\n".join(lines))


if __name__ == "__main__":
    main()
