"""The journal in a folder: where it can be, who may write it, and what it takes of memory."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

from journals import ANSWER, answer, fill, found, in_a_process, key, segments
from kfp_sdg.errors import StorageError
from kfp_sdg.teacher.journal import open_journal

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
