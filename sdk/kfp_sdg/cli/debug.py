"""``--debug``: the one switch that has to be known where errors are printed."""

from __future__ import annotations

from typing import Annotated

import typer

_debug = False


def debugging() -> bool:
    """Tell whether tracebacks are wanted."""
    return _debug


def _switch(wanted: bool) -> bool:
    """Remember the option; each command line starts with False."""
    global _debug
    _debug = wanted
    return wanted


DebugOption = Annotated[
    bool,
    typer.Option(
        "--debug", callback=_switch, is_eager=True, help="Show the traceback of an error."
    ),
]
