"""Tests in real containers: `make test-containers`, never a part of `make test`.

They need a container tool that works and the runtime's image (`make images`). Where one is missing
they are skipped; with KFP_SDG_REQUIRE_CONTAINERS=1 they fail.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from container_runs import containers
from kfp_sdg.compiler.containers import TOOL_VARIABLE, ContainerTool, find_tool
from kfp_sdg.components.image import RUNTIME_IMAGE
from kfp_sdg.errors import SdgError

if TYPE_CHECKING:
    from collections.abc import Iterator

REQUIRED = "KFP_SDG_REQUIRE_CONTAINERS"
PODMAN = Path(__file__).parents[2] / "images" / "podman" / "podman"


@pytest.fixture(scope="session")
def tool() -> ContainerTool:
    """What runs containers here."""
    try:
        found = find_tool(os.environ.get(TOOL_VARIABLE) or str(PODMAN))
        found.require_images([RUNTIME_IMAGE])
    except SdgError as error:
        if os.environ.get(REQUIRED):
            pytest.fail(f"containers are required here ({REQUIRED}): {error}", pytrace=False)
        pytest.skip(str(error))
    return found


@pytest.fixture(autouse=True)
def no_container_is_left(tool: ContainerTool) -> Iterator[None]:
    """Whatever a test does, no container of a run is there afterwards."""
    yield
    assert containers(tool) == []


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that others may read, as a user's would be; pytest's own are closed to them."""
    tmp_path.chmod(0o755)
    return tmp_path
