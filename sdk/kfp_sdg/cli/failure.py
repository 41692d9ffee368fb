"""Errors for people: one readable paragraph and an exit code."""

from __future__ import annotations

import sys

from kfp_sdg.cli.console import error_console, say
from kfp_sdg.cli.debug import debugging
from kfp_sdg.errors import SdgError, SpecError, Terminated

FAILED = 1
MISTAKEN = 2
INTERRUPTED = 130
"""What shells use for a process that Ctrl-C ended: 128 and the signal's number."""


def explain(error: BaseException) -> int:
    """Print what went wrong to standard error.

    Args:
        error: What left the command.

    Returns:
        The exit code: the error's own, 2 for a wrong command line, 130 for Ctrl-C, 143
        for SIGTERM, 1 otherwise.
    """
    if debugging():
        error_console().print_exception()
    if isinstance(error, KeyboardInterrupt) or type(error).__name__ == "Abort":
        say("Interrupted.", style="bold")
        return INTERRUPTED
    if isinstance(error, Terminated):
        say("Stopped by SIGTERM.", style="bold")
        return Terminated.EXIT_CODE
    if isinstance(error, SpecError):
        from kfp_sdg.cli.problems import show_problems

        show_problems(error.problems)
        return error.exit_code
    if isinstance(error, SdgError):
        say(" ".join([_sentence(str(error)), *getattr(error, "__notes__", ())]), label="Error")
        return error.exit_code
    if hasattr(error, "format_message"):  # Typer keeps the base of its usage errors private
        return _explain_usage(error)
    if isinstance(error, BrokenPipeError):  # `kfp-sdg … | head`
        sys.stderr.close()
        return FAILED
    say(
        f"{type(error).__name__}: {error}. This should not happen; run the command again with "
        "--debug for the traceback, which belongs into a bug report",
        label="Error",
    )
    return FAILED


def _explain_usage(error: BaseException) -> int:
    """Print a mistake on the command line, and where to find help."""
    message = error.format_message()  # type: ignore[attr-defined]  # checked by the caller
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "kfp-sdg"
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the whole help text
        say(message)
        return MISTAKEN
    say(message, label="Error")
    say(f"See `{command} --help`.", style="dim")
    return MISTAKEN


def _sentence(text: str) -> str:
    """Return text that ends as a sentence does."""
    return text if text.endswith((".", "!", "?")) else f"{text}."
