"""Digests are written into images.lock; tests/containers asks a real registry for them."""

from __future__ import annotations

import pytest

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.images import read_lock, write_digests
from kfp_sdg.errors import StorageError
from kfp_sdg.images import LOCK_FILE

OLD, NEW = ("sha256:" + digit * 64 for digit in "01")
HEAD = "# all images\nimages:\n"
ENTRY = """\
  - name: {name}
    image: quay.io/a/{name}
    tag: v1 # the newest
    role: task
    origin: somebody
    purpose: It is a test.
"""


@pytest.fixture
def file(tmp_path):
    return tmp_path / "images.lock"


@pytest.mark.parametrize(
    ("line", "written"),
    [
        ("    digest: {}\n", "    digest: {}\n"),
        ("    digest: '{}' # found there\n", "    digest: '{}' # found there\n"),
        ('    digest:   "{}"\n', '    digest:   "{}"\n'),
    ],
)
def test_a_digest_is_replaced_where_it_stands(file, line, written):
    one, two = ENTRY.format(name="one"), ENTRY.format(name="two")
    file.write_text(f"{HEAD}{one}{line.format(OLD)}\n# between\n{two}")
    write_digests(file, {"one": NEW})
    assert file.read_text() == f"{HEAD}{one}{written.format(NEW)}\n# between\n{two}"


def test_a_first_digest_is_written_below_the_tag(file):
    file.write_text(HEAD + ENTRY.format(name="one") + "\n" + ENTRY.format(name="two") + "# end\n")
    write_digests(file, {"one": OLD, "two": NEW})
    tag = "    tag: v1 # the newest\n"
    expected = HEAD
    expected += ENTRY.format(name="one").replace(tag, f"{tag}    digest: {OLD}\n") + "\n"
    expected += ENTRY.format(name="two").replace(tag, f"{tag}    digest: {NEW}\n") + "# end\n"
    assert file.read_text() == expected
    assert [image.reference.digest for image in read_lock(file)] == [OLD, NEW]


def test_every_image_of_the_shipped_list_can_get_a_digest(file):
    file.write_text(LOCK_FILE.read_text())
    names = [image.name for image in read_lock(file)]
    write_digests(file, dict.fromkeys(names, NEW))
    assert {image.reference.digest for image in read_lock(file)} == {NEW}
    assert [image.name for image in read_lock(file)] == names


def test_an_entry_on_one_line_is_left_to_the_user(file):
    entry = "{name: one, image: q.io/a, tag: v1, role: task, origin: x, purpose: y}"
    file.write_text(f"images: [{entry}]\n")
    with pytest.raises(StorageError, match=r"images.lock:1:10: this entry has no line 'tag:'"):
        write_digests(file, {"one": NEW})


def test_without_skopeo_it_is_said_what_to_install(monkeypatch, capsys, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    assert main(["images", "lock", "--only", "runtime"]) == 1
    assert "skopeo is not installed" in capsys.readouterr().err
