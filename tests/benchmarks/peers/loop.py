"""The plainest client that does a flow: workers that take the next row and ask until it is done.

Nothing is checked, retried, journaled or kept; what it costs is the floor for the transport used.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from driver import KEEP, Order, parts, report

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping

    Ask = Callable[[Mapping[str, Any]], Awaitable[list[str]]]
    """Sends the body of a completion; returns the texts of its choices."""


def _filled(template: str, row: Mapping[str, Any]) -> str:
    for name, value in row.items():
        template = template.replace("{{" + name + "}}", str(value))
    return template


def _body(prompt: Mapping[str, Any], row: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "model": "stub",
        "prompt": _filled(prompt["template"], row),
        "max_tokens": prompt["max_tokens"],
        "temperature": 0.7,
        "n": prompt["n"],
    }


async def run(order: Order, ask: Ask) -> None:
    """Do the flow with a number of requests in flight.

    Args:
        order: The flow; its setting ``concurrency`` is the number of workers.
        ask: The transport.
    """
    waiting, results = iter(order.rows), []

    async def work() -> None:
        prompt, judge = order.prompts["ask"], order.prompts.get("judge")
        for row in waiting:
            for text in await ask(_body(prompt, row)):
                made = row | parts(prompt, text)
                if judge is not None:
                    (verdict,) = await ask(_body(judge, made))
                    if float(parts(judge, verdict)["score"]) != KEEP:
                        continue
                results.append(made)

    await asyncio.gather(*(work() for _ in range(order.number("concurrency", 64))))
    report(results)
