"""The garbage collector in processes that do one piece of work and end."""

from __future__ import annotations

import gc
import subprocess
import sys

import pytest

from kfp_sdg.runtime.collector import collecting_rarely

ENDING = """
import atexit, gc, tempfile
from pathlib import Path
atexit.register(lambda: print("looked after at the end:", gc.get_freeze_count() == 0))
{start}
kept = tempfile.TemporaryDirectory()
print(kept.name)
"""
COMMAND = "from kfp_sdg.cli.process import settle; settle()"
TASK = """
from kfp_sdg.runtime.console import plain_console
with plain_console(): pass
"""


@pytest.mark.parametrize("start", [COMMAND, TASK])
def test_a_process_ends_without_a_look_through_its_memory_but_cleans_up(start, tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", ENDING.format(start=start)],
        capture_output=True,
        text=True,
        check=True,
        env={"TMPDIR": str(tmp_path)},
    )
    folder, looked = done.stdout.splitlines()
    assert looked == "looked after at the end: False"
    assert folder.startswith(str(tmp_path))
    assert list(tmp_path.iterdir()) == []


def test_after_a_task_the_collector_works_as_before():
    before = gc.get_threshold()
    usual = (700, 10, 10)
    try:
        gc.set_threshold(*usual)  # another test may have let this process collect rarely
        with collecting_rarely():
            assert gc.get_threshold() != usual
        assert gc.get_threshold() == usual
    finally:
        gc.set_threshold(*before)
