"""The engine: run a pipeline over a dataset in one process, and keep the books.

This package knows no KFP, no Kubernetes and no terminal: who wants to watch passes an observer.
"""

from kfp_sdg.engine.block import make_block, note_place, run_block
from kfp_sdg.engine.columns import check_columns, check_settings, prepare_blocks
from kfp_sdg.engine.observer import Observer
from kfp_sdg.engine.outcome import BlockOutcome, RunResult
from kfp_sdg.engine.pipeline import run
from kfp_sdg.engine.results import check_output, folder_names, read_run, write_run
from kfp_sdg.engine.tolerance import Tolerance

__all__ = [
    "BlockOutcome",
    "Observer",
    "RunResult",
    "Tolerance",
    "check_columns",
    "check_output",
    "check_settings",
    "folder_names",
    "make_block",
    "note_place",
    "prepare_blocks",
    "read_run",
    "run",
    "run_block",
    "write_run",
]
