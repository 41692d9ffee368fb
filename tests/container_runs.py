"""What the tests of runs in containers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers import ContainerTool


def containers(tool: ContainerTool) -> list[str]:
    """Return the names of all containers that runs have, in whatever state."""
    named = tool.ask("ps", "--all", "--filter", "name=kfp-sdg-", "--format", "{{.Names}}")
    return sorted(name for name in named.split() if name.startswith("kfp-sdg-"))
