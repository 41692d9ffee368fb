"""What is measured: a flow, its rows, and how the server behaves."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from benchmarks.flows import answers
from benchmarks.optimum import optimum
from benchmarks.stub_server import Settings

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class Scenario:
    """One flow against one server.

    Attributes:
        flow: "A" or "B".
        rows: How many rows go in.
        settings: The server's.
        n: Answers per request of the first block.
        with_peers: Whether peers run it too; they are slow, and not all know n.
    """

    flow: str
    rows: int
    settings: Settings = field(default_factory=Settings)
    n: int = 1
    with_peers: bool = False

    @property
    def title(self) -> str:
        """What it is, in one line."""
        settings = self.settings
        words = [
            f"Flow {self.flow}",
            f"{self.rows:,} rows",
            f"{settings.latency * 1000:g} ms",
            *([f"± {settings.jitter:.0%}"] if settings.jitter else []),
            f"{settings.slots} slots",
            *([f"n = {self.n}"] if self.n > 1 else []),
            *([f"judge {1 / settings.judge_factor:g}× shorter"] if self._short_judge else []),
        ]
        return ", ".join(words)

    @property
    def _short_judge(self) -> bool:
        return self.flow == "B" and self.settings.judge_factor != 1

    @property
    def answers(self) -> int:
        """The answers that it takes."""
        return answers(self.flow, self.rows, self.n)

    @property
    def optimum(self) -> tuple[float, float]:
        """The utilisation and the seconds that no client beats; see ``optimum``."""
        return optimum(self.settings, self.flow, self.rows, self.n)

    def shorter(self) -> Scenario:
        """Return the scenario with a tenth of its rows."""
        return replace(self, rows=max(self.rows // 10, 100))


_REAL = Settings(latency=1.0, jitter=0.5)

SPEED: Sequence[Scenario] = (
    Scenario("A", 1_000, with_peers=True),
    Scenario("B", 1_000, with_peers=True),
    Scenario("A", 1_000, _REAL, with_peers=True),
    Scenario("B", 1_000, _REAL, with_peers=True),
    Scenario("A", 10_000),
    Scenario("B", 10_000),
    Scenario("B", 1_000, Settings(latency=0.5, jitter=0.8)),
    Scenario("A", 1_000, n=10),
    Scenario("B", 2_000, Settings(latency=1.0, jitter=0.5, judge_factor=0.1)),
)
"""Utilisation, throughput and cost."""

SLOTS: Sequence[Scenario] = (
    Scenario("A", 400, Settings(slots=4)),
    Scenario("A", 5_000, Settings(slots=64)),
    Scenario("A", 10_000, Settings(slots=512, latency=1.0, jitter=0.5)),
)
"""Servers of other sizes, which nobody tells the client."""
