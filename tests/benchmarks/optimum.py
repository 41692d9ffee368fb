"""How busy the slots can be at best when all answers are asked for as early as they can be.

With unequal latencies the last answers leave slots empty whatever a client does: no figure of a
scenario can be judged without this one. The server's own heap and random numbers are used.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from benchmarks.stub_server import Slots

if TYPE_CHECKING:
    from benchmarks.stub_server import Settings


def optimum(settings: Settings, flow: str, rows: int, n: int = 1) -> tuple[float, float]:
    """Return the share of busy slots, and seconds, of a client that costs no time.

    All of a flow's first requests come at once; a judge's comes when its row's answer is there. The
    server serves them first come, first served.
    """
    slots = Slots(settings)
    done = [slots.take(n, now=0.0) for _ in range(rows)]
    if flow == "B":
        factor = settings.judge_factor
        done += [slots.take(1, factor=factor, now=moment) for moment in sorted(done)]
    span = max(done)
    return slots.busy(0.0, span), span
