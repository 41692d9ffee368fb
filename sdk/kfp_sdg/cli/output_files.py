"""What a command may not write over."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path


def refuse_input(output: Path, inputs: Iterable[Path]) -> None:
    """Refuse to write over what a command reads.

    Args:
        output: The file to be written.
        inputs: The files that are read.

    Raises:
        typer.BadParameter: It is one of them, perhaps by another path.
    """
    if any(output.exists() and file.exists() and output.samefile(file) for file in inputs):
        raise typer.BadParameter(
            f"{output} is what this command reads; name another file", param_hint="--output"
        )
