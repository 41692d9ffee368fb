"""Whatever says how a pipeline is compiled can be said to submit too."""

from __future__ import annotations

import inspect

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.compile import compile_command
from kfp_sdg.cli.submit import _COMPILING, submit_command

OF_FILES = {"pipeline", "output", "package_format", "description", "namespace", "debug"}
"""Parameters of compile that say nothing of how, or mean something else to submit."""


def test_submit_has_all_options_of_compile_and_refuses_them_for_a_compiled_file():
    compiling = set(inspect.signature(compile_command).parameters) - OF_FILES
    assert compiling == _COMPILING
    assert compiling <= set(inspect.signature(submit_command).parameters)


def test_both_have_the_same_declarations_and_defaults():
    theirs = inspect.signature(compile_command).parameters
    ours = inspect.signature(submit_command).parameters
    shared = _COMPILING - {"name"}
    assert [ours[n].annotation for n in shared] == [theirs[n].annotation for n in shared]
    assert [ours[n].default for n in shared] == [theirs[n].default for n in shared]


@pytest.mark.parametrize(
    "option", [["-p", "a=b"], ["--no-wait"], ["--recurring", "@daily"], ["--retries", "1"]]
)
def test_what_is_for_a_run_to_start_is_a_mistake_beside_follow(capsys, option):
    """Nobody is at the address: nothing is asked before."""
    assert main(["submit", "--follow", "run-1", "--host", "localhost:9", *option]) == 2
    error = " ".join(capsys.readouterr().err.split())
    assert "is for a run to start, not for --follow" in error
