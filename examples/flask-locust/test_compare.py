import sys


def test_the_cache_pays(processes, tmp_path):
    printed = processes.run(sys.executable, "compare.py", "--users", "10", "--seconds", "7", "--out", tmp_path)
    rows = {line.split("|")[1].strip(): line.split("|")[2:] for line in printed.splitlines() if line.startswith("| w")}
    without, cached = ([float(cell) for cell in rows[name][:6]] for name in ("without", "with"))
    assert cached[0] > 3 * without[0], "many more requests were answered"
    assert cached[2] < without[2], "half of them took less"
    assert without[5] == cached[5] == 0, "none failed"
    assert (tmp_path / "comparison.png").read_bytes().startswith(b"\x89PNG")
    assert "| with |" in (tmp_path / "comparison.md").read_text()
