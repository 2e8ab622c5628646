import sys


def test_the_whole_tour(processes):
    printed = processes.run(sys.executable, "tour.py").splitlines()
    stops = ["containers", "cache and limits", "locks", "autocomplete", "full text", "streams"]
    assert [line.split(":")[0] for line in printed] == stops
