"""What a task writes to, in the place of KFP's artifacts."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from kfp_sdg.storage import read_dataset


@dataclass
class Artifact:
    """An artifact of any type, with a path of its own."""

    path: str
    metadata: dict[str, Any] = field(default_factory=dict)

    def log_metric(self, metric: str, value: float) -> None:
        self.metadata[metric] = value

    @property
    def stored(self):
        return read_dataset(Path(self.path))
