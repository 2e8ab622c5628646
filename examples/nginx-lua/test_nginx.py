import os
import pathlib
import shutil
import sys

import httpx
import pytest
from conftest import free_port

MODULES = pathlib.Path(os.environ.get("NGINX_MODULES", "/usr/lib/nginx/modules"))


def test_pages_come_from_the_cache(processes, ochre, tmp_path):
    if not (shutil.which("nginx") and (MODULES / "ngx_http_lua_module.so").exists()):
        pytest.skip("SKIPPED LOUDLY: nginx with its Lua module is not installed and could not be")
    port = free_port()
    ochre.client().flushall()
    settings = {"PORT": str(port), "SCRATCH": str(tmp_path), "OCHRE_PORT": str(ochre.port)}
    address = processes.serve(sys.executable, "run.py", port=port, path="/stats", **settings)
    with httpx.Client(base_url=address, timeout=30) as client:
        answers = [client.get(f"/page/{number % 5}") for number in range(50)]
        assert [answer.headers["X-Cache"] for answer in answers] == ["miss"] * 5 + ["hit"] * 45
        assert {answer.text for answer in answers} == {f"page /backend/page/{number}\n" for number in range(5)}
        stats = dict(line.split() for line in client.get("/stats").text.splitlines())
    assert (stats["hits"], stats["misses"], stats["hit_ratio"]) == ("45", "5", "0.90")
    assert int(stats["miss_ms_mean"]) >= 190
    picture = tmp_path / "misses.png"
    assert processes.run(sys.executable, "plot.py", picture) == "5 misses\n"
    assert picture.read_bytes().startswith(b"\x89PNG")
