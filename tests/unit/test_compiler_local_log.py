"""What is read from the output of KFP's local runner."""

from __future__ import annotations

import pytest

from kfp_sdg.compiler.local_log import (
    LocalLog,
    TaskFinished,
    TaskProgress,
    TaskStarted,
    TaskWarning,
)

START = "10:00:00.123 - INFO - Executing task \x1b[96m'gen-q'\x1b[0m\n"
DONE = "10:00:09.123 - INFO - Task \x1b[96m'gen-q'\x1b[0m finished with status {}\n"
SUCCESS = DONE.format("\x1b[92mSUCCESS\x1b[0m")
FAILURE = DONE.format("\x1b[91mFAILURE\x1b[0m").replace("INFO", "ERROR")


def test_the_beginning_and_the_end_of_a_task_are_read() -> None:
    events = list(LocalLog().events([START, "10:00:00.2 - INFO - Streamed logs:\n", SUCCESS]))
    assert events == [TaskStarted("gen-q"), TaskFinished("gen-q", succeeded=True)]


def test_a_task_cannot_speak_in_the_runners_name() -> None:
    events = list(LocalLog().events([START, "    " + SUCCESS, FAILURE]))
    assert events == [TaskStarted("gen-q"), TaskFinished("gen-q", succeeded=False)]


def test_progress_is_read_as_the_runtime_prints_it(capsys) -> None:
    from kfp_sdg.runtime.progress import PlainProgress
    from kfp_sdg.teacher import Usage

    progress = PlainProgress(every=0)
    progress.block_started(1, 1, "gen: q", "LLMBlock", 4000)
    for done, rejected, tokens in ((1200, 0, 0), (100, 3, 0), (10, 0, 5000)):
        usage = Usage(completion_tokens=tokens)
        progress.block_progress(1, arrived=0, done=done, rejected=rejected, usage=usage)
    lines = [f"    {line}\n" for line in capsys.readouterr().out.splitlines()]
    assert list(LocalLog().events(lines)) == [
        TaskProgress(1200, 0, 0),
        TaskProgress(1300, 3, 0),
        TaskProgress(1310, 3, 5000),
    ]


def test_the_last_words_are_all_lines_of_the_error_and_no_others(capsys) -> None:
    from kfp_sdg.errors import StorageError
    from kfp_sdg.runtime.console import plain_console

    with pytest.raises(SystemExit), plain_console():
        raise StorageError("one\ntwo\n\nfour")
    words = [f"    {line}\n" for line in capsys.readouterr().err.splitlines()]
    log = LocalLog()
    before = ["    error: not this\n", "    and on\n"]
    after = ["    terminate called without an active exception\n", "    Aborted\n"]
    list(log.events([START, *before, *words, *after, FAILURE, "Traceback (most recent …):\n"]))
    assert log.last_words() == "one\ntwo\nfour"
    assert log.tail(1) == "Aborted"


def test_a_task_without_an_error_of_ours_has_no_last_words() -> None:
    log = LocalLog()
    list(log.events([START, "    ValueError: x\n", FAILURE]))
    assert log.last_words() is None


def test_each_task_has_its_own_lines() -> None:
    log = LocalLog()
    list(log.events([START, "    error: of the first\n", SUCCESS, START.replace("gen-q", "keep")]))
    assert log.last_words() is None


def test_a_tasks_warning_is_read_as_the_runtime_prints_it(capsys) -> None:
    import logging

    from kfp_sdg.runtime.console import plain_console

    with plain_console():
        logging.getLogger("kfp_sdg.blocks").warning("no family\nfits %r", "m")
    lines = [f"    {line}\n" for line in capsys.readouterr().out.splitlines()]
    assert list(LocalLog().events(lines)) == [TaskWarning("no family fits 'm'")]


def test_what_kfps_executor_says_about_itself_is_no_part_of_the_tasks_log() -> None:
    executor = "    [KFP Executor 2026-11-22 18:29:04,002 INFO]: "
    log = LocalLog()
    lines = [
        START,
        executor + "Looking for component `llm` in --component_module_path `/tmp/x.py`\n",
        executor + "Got executor_input:\n",
        "    {\n",
        '        "inputs": {\n',
        "        }\n",
        "    }\n",
        "    gen-q: 7 rows in\n",
        "      an indented line of a block\n",
        "    error: no such column\n",
    ]
    assert list(log.events(lines)) == [TaskStarted("gen-q")]
    assert log.tail().splitlines() == [
        "gen-q: 7 rows in",
        "  an indented line of a block",
        "error: no such column",
    ]


def test_a_teacher_that_is_away_is_told_of_as_the_task_tells_it(capsys) -> None:
    from kfp_sdg.runtime.progress import PlainProgress

    progress = PlainProgress(outage_every=0)
    progress.waiting("http://h/v1", "connection refused", 599.6)
    progress.back("http://h/v1")
    lines = [f"    {line}\n" for line in capsys.readouterr().out.splitlines()]
    away, back = LocalLog().events(lines)
    assert away == TaskWarning(
        "teacher at http://h/v1: connection refused; waiting for it, 10:00 left"
    )
    assert isinstance(back, TaskWarning)
    assert back.message.startswith("teacher at http://h/v1: back")
