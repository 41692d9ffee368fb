"""``generate_data`` on a taxonomy of four leaves, for tests."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from dropin_helpers import client_of
from instructlab.sdg import generate_data

if TYPE_CHECKING:
    from stub_teacher import StubTeacher

BIRDS = "knowledge_science_birds"
SEEDS = 35
"""Three skills of ten seed examples, and one chunk with five."""


def go(stub: StubTeacher, output: str = "out", **settings: Any) -> str:
    """Generate from the taxonomy; return the date in the names."""
    known = {
        "client": client_of(stub),
        "model_family": "mixtral",
        "model_name": "stub-model",
        "taxonomy": "taxonomy",
        "taxonomy_base": "empty",
        "output_dir": output,
        "num_instructions_to_generate": 1,
    }
    generate_data(**{**known, **settings})
    [train] = sorted(Path(output).glob("train_*.jsonl"))[-1:]
    return train.stem.removeprefix("train_")


def contents(folder: Path, root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(str(root).encode(), b"")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"documents"} & set(path.parts) and "/run_" not in str(path)
    }
