"""Fixtures of the tests of what is applied to a cluster."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from kubectl import REQUIRE, KubectlUnavailable
from kubectl import kubectl as find_kubectl

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def kubectl() -> Path:
    """The kubectl to render with; a test that renders asks for it, and is skipped without one."""
    try:
        return find_kubectl()
    except KubectlUnavailable as error:
        if os.environ.get(REQUIRE) == "1":
            pytest.fail(str(error))
        pytest.skip(str(error))
