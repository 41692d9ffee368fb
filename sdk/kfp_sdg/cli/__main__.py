"""``kfp-sdg``: the one place where errors become text and an exit code."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from kfp_sdg.cli.app import app
from kfp_sdg.cli.failure import INTERRUPTED, explain
from kfp_sdg.cli.process import settle
from kfp_sdg.errors import Terminated

if TYPE_CHECKING:
    from collections.abc import Sequence


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line.

    Args:
        arguments: The words after ``kfp-sdg``; None for those the process was started with.

    Returns:
        The exit code: 0, 1 for failures, 2 for the user's mistakes, 130 after Ctrl-C,
        143 after SIGTERM.
    """
    settle()
    try:
        code = app(
            list(sys.argv[1:] if arguments is None else arguments),
            prog_name="kfp-sdg",
            standalone_mode=False,
        )
    except (Exception, KeyboardInterrupt, Terminated) as error:
        return explain(error)
    if code == INTERRUPTED:
        return explain(KeyboardInterrupt())
    return code if isinstance(code, int) else 0


if __name__ == "__main__":
    sys.exit(main())
