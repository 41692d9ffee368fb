"""A client of the fake cluster that waits for next to nothing."""

from __future__ import annotations

from kfp_sdg.kserve import Pace, ServiceClient

QUICK = Pace(
    first_poll=0.001, slowest_poll=0.002, settle=60, first_retry=0.001, slowest_retry=0.005
)
"""Asks at once; gives up no sooner than usual, as the machine may have other things to do."""


class Lines(list[str]):
    """Lines that were told, one after the other."""

    def __call__(self, line: str) -> None:
        self.append(line)

    def __str__(self) -> str:
        return "\n".join(self)


def quick_client(**settings: object) -> ServiceClient:
    """Return a client that asks at once."""
    return ServiceClient(**{"pace": QUICK, **settings})
