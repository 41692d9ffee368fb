"""The process in which KFP's local runner works: ``python -m kfp_sdg.compiler.local_child``.

The runner prints a lot, replaces the root logger's handlers and ``print`` itself; in a process of
its own it may. Standard input has what to run as JSON: ``package``, ``pipeline_root``,
``workspace_root`` and ``arguments``.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Run one compiled pipeline; a failure leaves as an exception, so that the status is not 0."""
    request = json.load(sys.stdin)
    from kfp import local
    from kfp.components import load_component_from_file

    local.init(
        runner=local.SubprocessRunner(use_venv=False),
        pipeline_root=request["pipeline_root"],
        workspace_root=request["workspace_root"],
    )
    load_component_from_file(request["package"])(**request["arguments"])


if __name__ == "__main__":
    main()
