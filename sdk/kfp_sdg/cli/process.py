"""Settings of the command line's process, and of those that it starts; never of a notebook."""

from __future__ import annotations

import os

from kfp_sdg.runtime.collector import collect_rarely


def settle() -> None:
    """Make memory go back to the system, the garbage collector look less often, others be silent.

    Arrow's own allocator keeps what was freed; with the system's a run of 10,000 rows takes 150 MB
    at its peak instead of 180. To be called before pyarrow is imported; what the user set in
    ``ARROW_DEFAULT_MEMORY_POOL`` stays. A custom block that works on a ``datasets.Dataset`` would
    draw bars of its own between ours, or between lines of JSON;
    ``HF_DATASETS_DISABLE_PROGRESS_BARS=0`` brings them back. numpy, which pyarrow imports, would
    start threads for matrices that nobody multiplies here.
    """
    os.environ.setdefault("HF_DATASETS_DISABLE_PROGRESS_BARS", "1")
    os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    collect_rarely()
