"""What the tests of ``kfp-sdg submit`` share: a small pipeline, its states, and quick pauses."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fake_kfp_calls import Moment
from kfp_sdg.cluster.submit import Server, Watching
from kfp_sdg.kube import Patience

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from fake_kfp import FakeKfp
    from kfp_sdg.cluster.submit import Target

PIPELINE = """\
version: "1.0"
blocks:
  - name: keep_good
    type: FilterByValueBlock
    config: {filter_column: score, filter_value: 1.0, operation: eq, convert_dtype: float}
  - name: rename_it
    type: RenameColumnsBlock
    config: {columns_map: {question: q}}
"""
ROWS = [{"question": f"What is {n}?", "score": "1.0"} for n in range(3)]

NAMES = ("load", "keep-good", "rename-it")
ALL = dict.fromkeys(NAMES, "succeeded")

SUCCESS = (
    Moment("PENDING"),
    Moment("RUNNING", {"load": "running"}),
    Moment("RUNNING", {"load": "succeeded", "keep-good": "running"}),
    Moment("SUCCEEDED", ALL),
)

QUICK = Patience(first_retry=0.01, slowest_retry=0.02, patience=0.2, request=5)


def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let nothing wait for longer than a test wants to."""
    quick = Watching(first_poll=0.005, slowest_poll=0.01, patience=2.0)
    monkeypatch.setattr("kfp_sdg.cluster.submit.following.Watching", lambda: quick)
    monkeypatch.setattr("kfp_sdg.cluster.submit.server.Patience", lambda patience: QUICK)
    monkeypatch.setattr("kfp_sdg.cluster.submit.server._FIRST_CONTACT", QUICK.patience)
    for name in ("KFP_SDG_HOST", "KF_PIPELINES_ENDPOINT", "KFP_SDG_TOKEN", "KFP_SDG_COOKIES"):
        monkeypatch.delenv(name, raising=False)


def write_inputs(folder: Path) -> tuple[Path, Path]:
    """Write the pipeline and its rows; return both files."""
    pipeline, rows = folder / "demo.yaml", folder / "rows.jsonl"
    pipeline.write_text(PIPELINE)
    rows.write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    return pipeline, rows


def server_at(target: Target, **more: Any) -> Server:
    """Return a server that has answered."""
    server = Server(target, patience=QUICK, **more)
    server.greet()
    return server


def looks(kfp: FakeKfp) -> int:
    """Return how often a run was looked at."""
    return sum(str(call).startswith("GET runs/") for call in kfp.calls)
