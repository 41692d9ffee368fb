"""A compiled pipeline's tasks in containers on this machine, under the rules of a cluster.

Calls podman or docker as a program and trusts its exit code; never their APIs or Python packages.
"""

from __future__ import annotations

from kfp_sdg.compiler.containers.tool import TOOL_VARIABLE, ContainerTool, find_tool

__all__ = ["TOOL_VARIABLE", "ContainerTool", "find_tool"]
