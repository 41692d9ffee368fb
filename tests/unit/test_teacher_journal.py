"""The journal in a folder: what is kept is found, whatever happens to process and files."""

from __future__ import annotations

import logging
import os
import random
import re
import signal
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from journals import ANSWER, answer, fill, found, in_a_process, key, segments
from kfp_sdg.errors import StorageError
from kfp_sdg.teacher import Answer, Choice, TokenLogprobs, Usage
from kfp_sdg.teacher.journal import open_journal
from kfp_sdg.teacher.journal.record import pack, unpack
from kfp_sdg.teacher.journal.segment import HEADER_BYTES, header

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
