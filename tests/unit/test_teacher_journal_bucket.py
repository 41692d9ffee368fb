"""The journal in an object store, here in fsspec's in memory and in a store that fails."""

from __future__ import annotations

import contextlib
import os
import threading
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

import fsspec
import pytest
from fsspec.implementations.memory import MemoryFileSystem

from journals import answer, key
from kfp_sdg.errors import StorageError
from kfp_sdg.teacher.journal import bucket, bucket_lock, open_journal
from kfp_sdg.teacher.journal.holder import Holder

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp_sdg.teacher.journal import Journal


class FailingStore(MemoryFileSystem):
    """A store of its own that refuses to take segments while ``fails`` is above 0."""

    protocol = "failing"
    store: dict = {}  # noqa: RUF012 - fsspec's way: one store for all instances
    pseudo_dirs = [""]  # noqa: RUF012
    fails = 0

    def pipe_file(self, path, value, **settings):
        if "segment" in path and FailingStore.fails > 0:
            FailingStore.fails -= 1
            raise ConnectionError("the store is away")
        return super().pipe_file(path, value, **settings)


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Let what takes seconds take moments, and temporary files be in a folder of the test."""
    monkeypatch.setattr(bucket, "RETRY_SECONDS", (0.01, 0.01))
    monkeypatch.setattr(bucket.Bucket, "flush_seconds", 0.02)
    monkeypatch.setattr(bucket_lock, "BEAT_SECONDS", 0.05)
    monkeypatch.setattr(bucket_lock, "SETTLE_SECONDS", 0.02)
    monkeypatch.setattr(bucket_lock, "STALE_SECONDS", 0.5)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))


@pytest.fixture
def url() -> Iterator[str]:
    yield f"memory://journals/{uuid.uuid4().hex}"
    with contextlib.suppress(FileNotFoundError):
        fsspec.filesystem("memory").rm("/journals", recursive=True)


@pytest.fixture
def failing_url() -> Iterator[str]:
    fsspec.register_implementation("failing", FailingStore, clobber=True)
    yield f"failing://{uuid.uuid4().hex}"
    FailingStore.fails = 0


def names(url: str) -> list[str]:
    files, path = fsspec.core.url_to_fs(url)
    return sorted(name.rsplit("/", 1)[-1] for name in files.glob(f"{path}/*"))


def wait_until(true: object, seconds: float = 10) -> None:
    end = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < end
        time.sleep(0.01)


def kept_in(url: str, numbers: range) -> list[int]:
    with open_journal(url) as journal:
        assert journal.kept == sum(map(len, (journal.find(key(n)) for n in numbers)))
        return [n for n in numbers if journal.find(key(n)) == {0: answer(n)}]


def leave_behind(journal: Journal) -> None:
    """End a journal as a kill does: what was sent stays, the lock too, nothing else is done."""
    journal._ending.set()
    journal._flusher.join()
    lock = journal._place._lock
    lock._ending.set()
    lock._beating.join()
    bucket_lock._OURS.clear()


def test_answers_are_found_by_the_next_process_and_nothing_is_left_on_this_machine(url, tmp_path):
    with open_journal(url) as journal:
        for n in range(100):
            journal.keep(key(n), 0, answer(n))
        assert journal.find(key(5)) == {0: answer(5)}
    assert len(names(url)) == 1
    assert kept_in(url, range(120)) == list(range(100))
    assert list(tmp_path.iterdir()) == []


def test_answers_are_sent_while_the_run_goes_on(url):
    with open_journal(url) as journal:
        for n in range(3):
            journal.keep(key(n), 0, answer(n))
            wait_until(lambda: not journal._unflushed)
        wait_until(lambda: any(".00002." in name for name in names(url)))
        leave_behind(journal)
        # One object for the growing segment, whatever number of times it was sent.
        wait_until(lambda: len(names(url)) == 2)
        assert "journal.lock" in names(url)
        assert kept_in(url, range(3)) == [0, 1, 2]


def test_a_segment_that_is_left_in_two_sizes_is_read_once(url):
    files, path = fsspec.core.url_to_fs(url)
    with open_journal(url) as journal:
        journal.keep(key(0), 0, answer(0))
        wait_until(lambda: any(name.startswith("segment") for name in names(url)))
        (early,) = [name for name in names(url) if name.startswith("segment")]
        content = files.cat_file(f"{path}/{early}")
        journal.keep(key(1), 0, answer(1))
    files.pipe_file(f"{path}/{early}", content)
    assert len(names(url)) == 2
    assert kept_in(url, range(3)) == [0, 1]


def test_a_full_segment_is_followed_by_another(url, monkeypatch):
    monkeypatch.setattr(bucket.Bucket, "segment_bytes", 500)
    with open_journal(url) as journal:
        for n in range(100):
            journal.keep(key(n), 0, answer(n))
    assert len(names(url)) > 10
    assert kept_in(url, range(100)) == list(range(100))


def test_a_store_that_is_away_for_a_moment_is_tried_again(failing_url):
    FailingStore.fails = 2
    with open_journal(failing_url) as journal:
        journal.keep(key(0), 0, answer(0))
    assert FailingStore.fails == 0
    assert kept_in(failing_url, range(2)) == [0]


def test_a_store_that_stays_away_stops_the_run_and_what_was_not_sent_is_left_here(
    failing_url, tmp_path
):
    FailingStore.fails = 10**6
    journal = open_journal(failing_url)
    journal.keep(key(0), 0, answer(0))
    wait_until(lambda: journal._failure is not None)
    with pytest.raises(StorageError, match=r"cannot be sent.*ConnectionError: the store is away"):
        journal.keep(key(1), 0, answer(1))
    with pytest.raises(StorageError, match=rf"they are in {tmp_path}/kfp-sdg-journal-"):
        journal.close()
    FailingStore.fails = 0
    (spool,) = tmp_path.iterdir()
    assert kept_in(failing_url, range(2)) == []
    files, path = fsspec.core.url_to_fs(failing_url)
    for segment in spool.iterdir():
        files.pipe_file(f"{path}/{segment.name}", segment.read_bytes())
    assert kept_in(failing_url, range(2)) == [0]


def test_a_store_that_comes_back_before_the_end_loses_nothing(failing_url):
    FailingStore.fails = 3
    journal = open_journal(failing_url)
    journal.keep(key(0), 0, answer(0))
    wait_until(lambda: journal._failure is not None)
    with pytest.raises(StorageError):
        journal.keep(key(1), 0, answer(1))
    journal.close()
    assert kept_in(failing_url, range(2)) == [0]


def test_a_place_that_holds_other_things_is_refused(url):
    files, path = fsspec.core.url_to_fs(url)
    files.pipe_file(f"{path}/rows.jsonl", b"{}")
    with pytest.raises(StorageError, match=r"other things than a journal \(rows\.jsonl\)"):
        open_journal(url)


def test_damage_costs_the_damaged_record_alone(url, caplog):
    files, path = fsspec.core.url_to_fs(url)
    with open_journal(url) as journal:
        for n in range(10):
            journal.keep(key(n), 0, answer(n))
    (name,) = names(url)
    content = bytearray(files.cat_file(f"{path}/{name}"))
    content[content.find(b"answer 4")] ^= 1
    files.pipe_file(f"{path}/{name}", bytes(content[:-3]))
    assert kept_in(url, range(10)) == [0, 1, 2, 3, 5, 6, 7, 8]
    assert "damaged from byte" in caplog.text
    assert "no whole record" in caplog.text


def test_a_url_of_no_known_kind_is_an_error():
    with pytest.raises(StorageError, match="nowhere"):
        open_journal("nowhere://x")


# -- the lock -----------------------------------------------------------------------------------


def put_lock(url: str, **changes: object) -> Holder:
    files, path = fsspec.core.url_to_fs(url)
    holder = Holder(**{"host": "elsewhere", "pid": 7, **changes})
    files.pipe_file(f"{path}/journal.lock", holder.to_text().encode())
    return holder


def test_two_journals_cannot_be_open_at_one_place(url):
    with open_journal(url), pytest.raises(StorageError, match=f"process {os.getpid()} on"):
        open_journal(url)
    assert names(url) == []
    open_journal(url).close()


def test_a_lock_that_shows_life_is_respected(url):
    put_lock(url, beat=1)
    beats = threading.Timer(0.1, put_lock, (url,), {"beat": 2})
    beats.start()
    with pytest.raises(StorageError, match=r"another process .* \(process 7 on elsewhere\)"):
        open_journal(url)
    beats.join()
    assert names(url) == ["journal.lock"]


def test_a_lock_that_shows_no_life_is_taken(url, caplog):
    put_lock(url)
    with open_journal(url):
        assert "locked by process 7 on elsewhere; if it shows no life" in caplog.text
    assert names(url) == []


def test_a_lock_of_a_dead_process_of_this_machine_is_taken_at_once(url, caplog):
    process = Path("/proc/sys/kernel/pid_max")
    dead = int(process.read_text()) if process.exists() else 99_999
    put_lock(url, host=Holder().host, pid=dead)
    open_journal(url).close()
    assert not caplog.records


def test_a_lock_of_an_earlier_life_of_this_process_number_is_taken_at_once(url, caplog):
    """A container that is started again has the host and the process number of before."""
    put_lock(url, host=Holder().host, pid=os.getpid())
    open_journal(url).close()
    assert not caplog.records


def test_a_journal_that_another_process_took_over_stops(url):
    journal = open_journal(url)
    journal.keep(key(0), 0, answer(0))
    put_lock(url)
    wait_until(lambda: journal._place._lock._lost)
    with pytest.raises(StorageError, match="process 7 on elsewhere"):
        journal.keep(key(1), 0, answer(1))
    journal.close()
    assert "journal.lock" in names(url)  # it is the other's
    bucket_lock._OURS.clear()
    fsspec.filesystem("memory").rm(f"{url.removeprefix('memory:/')}/journal.lock")
    assert kept_in(url, range(2)) == [0]
