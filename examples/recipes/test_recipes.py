import pathlib
import sys

import pytest

SCRIPTS = sorted(path.name for path in pathlib.Path(__file__).parent.glob("*.py") if path.stem not in ("store", "test_recipes"))


@pytest.mark.parametrize("script", SCRIPTS)
def test_recipe(processes, script):
    assert processes.run(sys.executable, script)


def test_all_are_there():
    assert len(SCRIPTS) == 7
