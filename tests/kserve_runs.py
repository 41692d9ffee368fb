"""A fake cluster with a stopped teacher, and a client of it that waits for next to nothing."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fake_kserve import STOP, inference_service
from fake_kubernetes import FakeKubernetes
from kfp_sdg.kserve import Pace, ServiceClient
from kfp_sdg.kserve.uses import USES_ANNOTATION

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

URL = "http://teacher-predictor.sdg.svc.cluster.local/v1"
"""The address of the teacher, once it is up."""

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


@pytest.fixture
def cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeKubernetes]:
    """A cluster with a stopped teacher, which the kubeconfig names."""
    with FakeKubernetes() as cluster:
        cluster.add(inference_service("teacher"))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


@pytest.fixture
def said() -> Lines:
    """What the client and the calls under test tell."""
    return Lines()


@pytest.fixture
def client(cluster: FakeKubernetes, said: Lines) -> ServiceClient:
    """A client of the cluster that asks at once."""
    return quick_client(tell=said)


def uses(cluster: FakeKubernetes) -> dict[str, Any] | None:
    """Return what is noted at the teacher about its users."""
    return json.loads(cluster.annotations("teacher").get(USES_ANNOTATION, "null"))


def is_up(cluster: FakeKubernetes) -> bool:
    """Return whether the teacher is to be up."""
    return cluster.annotations("teacher")[STOP] == "false"
