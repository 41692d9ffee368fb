"""The journal in a folder: what is kept is found, whatever happens to process, disk and files."""

from __future__ import annotations

import json
import logging
import os
import random
import re
import signal
import subprocess
import sys
import zlib
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kfp_sdg.errors import StorageError
from kfp_sdg.teacher import Answer, Choice, TokenLogprobs, Usage
from kfp_sdg.teacher.journal import open_journal
from kfp_sdg.teacher.journal.record import pack, unpack
from kfp_sdg.teacher.journal.segment import HEADER_BYTES, header

if TYPE_CHECKING:
    from pathlib import Path

ANSWER = Answer((Choice("Hello.", "stop"),), Usage(1, 20, 3))


def key(number: int) -> bytes:
    return number.to_bytes(16, "big")


def answer(number: int) -> Answer:
    return Answer((Choice(f"answer {number} " * 5, "stop"),), Usage(1, 20, number))


def fill(folder: Path, numbers: range) -> None:
    with open_journal(folder) as journal:
        for number in numbers:
            journal.keep(key(number), 0, answer(number))


def found(folder: Path, numbers: range) -> dict[int, Answer]:
    """Return what is found, and hold that nothing of it is wrong."""
    with open_journal(folder) as journal:
        kept = {number: journal.find(key(number)) for number in numbers}
        assert journal.kept >= sum(map(len, kept.values()))
    for number, answers in kept.items():
        assert answers in ({}, {0: answer(number)})
    return {number: answers[0] for number, answers in kept.items() if answers}


def segments(folder: Path) -> list[Path]:
    return sorted(folder.glob("segment-*"))


def in_a_process(code: str, *arguments: object, **settings) -> subprocess.CompletedProcess:
    imports = (
        "import sys; from kfp_sdg.teacher import *; from kfp_sdg.teacher.journal import *\n"
        "def answer(n): return Answer((Choice(f'answer {n} ' * 5, 'stop'),), Usage(1, 20, n))\n"
    )
    return subprocess.run(
        [sys.executable, "-c", imports + code, *map(str, arguments)],
        capture_output=True,
        text=True,
        **settings,
    )


# -- answers ------------------------------------------------------------------------------------


def test_an_answer_is_found_again_by_its_key_at_once_and_by_the_next_process(tmp_path):
    with open_journal(tmp_path) as journal:
        assert journal.kept == 0
        assert journal.find(key(1)) == {}
        journal.keep(key(1), 0, ANSWER)
        assert journal.find(key(1)) == {0: ANSWER}
        assert journal.find(key(2)) == {}
    with open_journal(tmp_path) as journal:
        assert journal.kept == 1
        assert journal.find(key(1)) == {0: ANSWER}


def test_parts_of_an_answer_are_found_by_the_places_of_their_first_choices(tmp_path):
    parts = {0: answer(0), 3: answer(3), 1: answer(1)}
    with open_journal(tmp_path) as journal:
        for first, part in parts.items():
            journal.keep(key(1), first, part)
    with open_journal(tmp_path) as journal:
        assert journal.find(key(1)) == parts


def test_what_was_kept_first_stays_the_answer(tmp_path):
    with open_journal(tmp_path) as journal:
        journal.keep(key(1), 0, answer(1))
        journal.keep(key(1), 0, answer(2))
        assert journal.find(key(1)) == {0: answer(1)}
    with open_journal(tmp_path) as journal:
        assert journal.find(key(1)) == {0: answer(1)}


TEXTS = st.text(st.characters(exclude_categories=()))
LOGPROBS = st.builds(
    TokenLogprobs,
    TEXTS,
    st.floats(allow_nan=False) | st.integers(),
    st.lists(st.tuples(TEXTS, st.floats(allow_nan=False)), max_size=3).map(tuple),
)
CHOICES = st.builds(
    Choice,
    st.none() | TEXTS,
    st.none() | TEXTS,
    st.none() | st.lists(LOGPROBS, max_size=3).map(tuple),
)
ANSWERS = st.builds(
    Answer,
    st.lists(CHOICES, max_size=3).map(tuple),
    st.builds(Usage, st.integers(0), st.integers(0), st.integers(0)),
)


@given(ANSWERS)
def test_every_answer_comes_back_as_it_was(given_answer):
    assert unpack(pack(key(1), 0, given_answer)[36:]) == given_answer


def test_an_answer_of_10_megabytes_comes_back_as_it_was(tmp_path):
    long = Answer((Choice("é" * 5_000_000, "length"),), Usage(1, 1, 1))
    with open_journal(tmp_path) as journal:
        journal.keep(key(1), 0, long)
    with open_journal(tmp_path) as journal:
        assert journal.find(key(1)) == {0: long}


def test_a_key_of_another_length_is_refused(tmp_path):
    with open_journal(tmp_path) as journal, pytest.raises(ValueError, match="16 bytes, not 1"):
        journal.keep(b"k", 0, ANSWER)


def test_what_is_kept_is_told_when_the_journal_is_opened(tmp_path, caplog):
    fill(tmp_path, range(1234))
    with caplog.at_level(logging.INFO), open_journal(tmp_path):
        assert f"{tmp_path}: 1,234 answers are kept there" in caplog.text


def test_a_full_segment_is_followed_by_another(tmp_path, monkeypatch):
    monkeypatch.setattr("kfp_sdg.teacher.journal.folder.LocalFolder.segment_bytes", 1000)
    fill(tmp_path, range(50))
    assert len(segments(tmp_path)) > 3
    assert all(segment.stat().st_size < 1500 for segment in segments(tmp_path))
    fill(tmp_path, range(50, 60))
    assert len(found(tmp_path, range(60))) == 60


def test_a_journal_that_nothing_was_kept_in_leaves_no_segment(tmp_path):
    fill(tmp_path, range(0))
    assert segments(tmp_path) == []


def test_a_closed_journal_keeps_nothing_more(tmp_path):
    journal = open_journal(tmp_path)
    journal.close()
    journal.close()
    with pytest.raises(StorageError, match="closed"):
        journal.keep(key(1), 0, ANSWER)


# -- killed -------------------------------------------------------------------------------------


def test_an_answer_survives_a_kill_as_soon_as_it_is_kept(tmp_path):
    code = (
        "import os, signal\n"
        "journal = open_journal(sys.argv[1])\n"
        "for n in range(100): journal.keep(n.to_bytes(16, 'big'), 0, answer(n))\n"
        "os.kill(os.getpid(), signal.SIGKILL)"
    )
    assert in_a_process(code, tmp_path).returncode == -signal.SIGKILL
    assert len(found(tmp_path, range(100))) == 100


def test_a_record_cut_at_any_byte_costs_that_record_alone(tmp_path, caplog):
    fill(tmp_path, range(3))
    (segment,) = segments(tmp_path)
    whole = segment.read_bytes()
    starts = [m.start() for m in re.finditer(re.escape(b"\xffJ1\xfe"), whole)]
    assert len(starts) == 3
    for size in range(len(whole)):
        segment.write_bytes(whole[:size])
        caplog.clear()
        complete = sum(end <= size for end in [*starts[1:], len(whole)])
        assert len(found(tmp_path, range(3))) == complete
        start = max((s for s in starts if s <= size), default=0)
        torn = size - (start if size > HEADER_BYTES else size)
        assert (f"the last {torn} bytes, from byte {start} on," in caplog.text) == (torn > 0)
        caplog.clear()
        assert len(found(tmp_path, range(3))) == complete
        assert not caplog.records


def test_a_run_after_a_torn_record_keeps_on_without_loss(tmp_path):
    fill(tmp_path, range(10))
    (segment,) = segments(tmp_path)
    os.truncate(segment, segment.stat().st_size - 5)
    fill(tmp_path, range(9, 20))
    assert len(found(tmp_path, range(20))) == 20


# -- damaged ------------------------------------------------------------------------------------


def test_a_damaged_record_is_told_once_and_those_around_it_are_found(tmp_path, caplog):
    fill(tmp_path, range(10))
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    data[data.find(b"answer 4 ")] ^= 1
    segment.write_bytes(data)
    assert sorted(found(tmp_path, range(10))) == [0, 1, 2, 3, 5, 6, 7, 8, 9]
    (record,) = caplog.records
    assert re.search(
        r"segment-.*: damaged from byte \d+ to byte \d+; .* asked for again", record.message
    )


@pytest.mark.parametrize("seed", range(150))
def test_damage_anywhere_never_gives_a_wrong_answer(tmp_path, seed):
    fill(tmp_path, range(20))
    (segment,) = segments(tmp_path)
    data = bytearray(segment.read_bytes())
    dice = random.Random(seed)
    place = dice.randrange(len(data))
    kind = dice.choice(["bit", "byte", "zeros", "noise", "gone", "twice", "inserted"])
    length = dice.randrange(1, 300)
    if kind == "bit":
        data[place] ^= 1 << dice.randrange(8)
    elif kind == "byte":
        data[place] = dice.randrange(256)
    elif kind == "zeros":
        data[place : place + length] = bytes(len(data[place : place + length]))
    elif kind == "noise":
        data[place : place + length] = dice.randbytes(len(data[place : place + length]))
    elif kind == "gone":
        del data[place : place + length]
    else:
        other = data[place : place + length] if kind == "twice" else dice.randbytes(length)
        data[place:place] = other
    segment.write_bytes(data)
    kept = found(tmp_path, range(20))
    assert len(kept) >= 20 - (2 if kind in ("bit", "byte") else 2 + length // 100)


def test_damage_done_while_the_journal_is_open_is_no_answer_either(tmp_path, caplog):
    fill(tmp_path, range(3))
    (segment,) = segments(tmp_path)
    with open_journal(tmp_path) as journal:
        data = bytearray(segment.read_bytes())
        data[data.find(b"answer 1 ")] ^= 1
        segment.write_bytes(data)
        assert journal.find(key(0)) == {0: answer(0)}
        assert journal.find(key(1)) == {}
    assert "the answer is asked for again" in caplog.text


def test_a_file_that_holds_no_record_at_all_is_told_and_left_alone(tmp_path, caplog):
    noise = tmp_path / "segment-00007-0123abcd.kfpsdg"
    noise.write_bytes(b"something else" * 100)
    fill(tmp_path, range(3))
    assert f"{noise}: damaged from byte 0 to byte 1400" in caplog.text
    assert noise.stat().st_size == 1400
    assert segments(tmp_path)[1].name.startswith("segment-00008-")
    assert len(found(tmp_path, range(3))) == 3


def test_a_segment_of_a_later_version_is_an_error_that_says_so(tmp_path):
    later = header()[:8] + (2).to_bytes(4, "big")
    segment = tmp_path / "segment-00001-0123abcd.kfpsdg"
    segment.write_bytes(later + zlib.crc32(later).to_bytes(4, "big") + b"whatever that holds")
    with pytest.raises(StorageError, match=r"segment-00001.*version 2.*up to 1.*newer kfp-sdg"):
        open_journal(tmp_path)
    assert segment.read_bytes().endswith(b"whatever that holds")
    segment.unlink()
    open_journal(tmp_path).close()  # the lock was given back


# -- places -------------------------------------------------------------------------------------


def test_a_folder_that_holds_other_things_is_refused(tmp_path):
    (tmp_path / "rows.jsonl").write_text("{}")
    with pytest.raises(StorageError, match=r"holds other things than a journal \(rows\.jsonl\)"):
        open_journal(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.jsonl"]


def test_what_systems_put_into_folders_is_no_other_thing(tmp_path):
    (tmp_path / "lost+found").mkdir()
    (tmp_path / ".DS_Store").touch()
    fill(tmp_path, range(1))
    assert len(found(tmp_path, range(1))) == 1


def test_a_file_is_no_folder(tmp_path):
    place = tmp_path / "file"
    place.touch()
    with pytest.raises(StorageError, match="file: is a file; a journal needs a folder"):
        open_journal(place)


@pytest.mark.parametrize("place", ["/proc/journal", "/proc", "/dev/null/x"])
def test_a_place_that_cannot_be_written_is_an_error_that_names_it(place):
    with pytest.raises(StorageError, match=f"^{place}: "):
        open_journal(place)


def test_a_path_may_be_given_as_a_url(tmp_path):
    fill(f"file://{tmp_path}", range(2))
    assert len(found(tmp_path, range(2))) == 2


def test_a_disk_that_fills_up_is_an_error_and_what_is_kept_stays_of_use(tmp_path):
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (2000, 2000))\n"
        "kept = 0\n"
        "try:\n"
        "    with open_journal(sys.argv[1]) as journal:\n"
        "        for n in range(100):\n"
        "            journal.keep(n.to_bytes(16, 'big'), 0, answer(n)); kept += 1\n"
        "except Exception as error: print(type(error).__name__, error)\n"
        "print(kept)"
    )
    message, kept = in_a_process(code, tmp_path).stdout.splitlines()
    assert message.startswith(f"StorageError {tmp_path}: an answer cannot be written")
    assert "File too large" in message
    (segment,) = segments(tmp_path)
    assert segment.stat().st_size < 2000  # the part that fitted was cut
    assert len(found(tmp_path, range(100))) == int(kept) > 5


def test_a_full_disk_is_an_error_and_the_journal_goes_on_when_there_is_room(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs to mount a small disk")
    try:
        filler = disk / ".filler"
        filler.write_bytes(bytes(40_000))
        with open_journal(disk) as journal:
            kept = 0
            with pytest.raises(StorageError, match="No space left on device"):  # noqa: PT012
                for kept in range(1000):  # one of many fails
                    journal.keep(key(kept), 0, answer(kept))
            filler.unlink()
            journal.keep(key(kept), 0, answer(kept))
        assert len(found(disk, range(1000))) == kept + 1 > 10
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_read_only_disk_is_an_error_that_says_so(tmp_path):
    disk = tmp_path / "disk"
    disk.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "ro", "tmpfs", disk], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("needs to mount a small disk")
    try:
        with pytest.raises(StorageError, match="cannot be written there: Read-only file system"):
            open_journal(disk)
    finally:
        subprocess.run(["umount", disk], check=True)


def test_a_journal_that_is_removed_while_in_use_is_an_error(tmp_path):
    journal = open_journal(tmp_path)
    journal.keep(key(1), 0, ANSWER)
    segments(tmp_path)[0].unlink()
    with pytest.raises(StorageError, match="removed while it is in use"):
        journal.close()


def test_an_error_on_its_way_is_not_replaced_by_one_of_closing(tmp_path, caplog):
    with pytest.raises(KeyboardInterrupt), open_journal(tmp_path) as journal:  # noqa: PT012
        journal.keep(key(1), 0, ANSWER)
        segments(tmp_path)[0].unlink()
        raise KeyboardInterrupt
    assert "removed while it is in use" in caplog.text


# -- locks --------------------------------------------------------------------------------------


def test_two_journals_cannot_be_open_at_one_place(tmp_path):
    with open_journal(tmp_path) as journal:
        with pytest.raises(StorageError, match=rf"\(process {os.getpid()} on .+\)"):
            open_journal(tmp_path)
        journal.keep(key(1), 0, ANSWER)
    open_journal(tmp_path).close()


def test_a_second_process_is_refused_and_told_who_holds_the_journal(tmp_path):
    with open_journal(tmp_path):
        refused = in_a_process("open_journal(sys.argv[1])", tmp_path)
    assert refused.returncode == 1
    assert f"another process writes this journal now (process {os.getpid()} on " in refused.stderr


def test_a_killed_process_holds_no_lock(tmp_path):
    code = (
        "import sys, time; from kfp_sdg.teacher.journal import open_journal\n"
        "journal = open_journal(sys.argv[1])\n"
        "print('open', flush=True); time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code, tmp_path], stdout=subprocess.PIPE, text=True
    )
    with process:
        assert process.stdout.readline() == "open\n"
        with pytest.raises(StorageError, match=f"process {process.pid} on"):
            open_journal(tmp_path)
        process.kill()
        process.wait()
        open_journal(tmp_path).close()


# -- size ---------------------------------------------------------------------------------------


def test_memory_does_not_grow_with_the_journal(tmp_path):
    """200,000 answers of 500 bytes: 100 MB of journal, less than 20 MB of memory."""
    code = (
        "import json, resource, time\n"
        "with open_journal(sys.argv[1]) as journal:\n"
        "    for n in range(int(sys.argv[2])): journal.keep(n.to_bytes(16, 'big'), 0, ANSWER)\n"
        "with open_journal(sys.argv[1]) as journal:\n"
        "    hits = sum(0 in journal.find(n.to_bytes(16, 'big')) for n in range(journal.kept))\n"
        "peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss\n"
        "print(json.dumps([hits, peak]))"
    )
    code = "ANSWER = Answer((Choice('x' * 450, 'stop'),), Usage(1, 2, 3))\n" + code
    hits, peak = json.loads(in_a_process(code, tmp_path / "full", 200_000).stdout)
    none, least = json.loads(in_a_process(code, tmp_path / "empty", 0).stdout)
    unit = 1 if sys.platform == "darwin" else 1024
    assert (hits, none) == (200_000, 0)
    assert (peak - least) * unit < 20e6
