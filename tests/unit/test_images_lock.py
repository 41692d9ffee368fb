"""images.lock: the list of every image, and how it is read."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from kfp_sdg.cluster.images import (
    ImageReference,
    ImageRole,
    NoImageNameError,
    parse_reference,
    read_lock,
)
from kfp_sdg.cluster.images.reference import is_placeholder, is_registry
from kfp_sdg.components.image import BUNDLE_IMAGE, RUNTIME_IMAGE, TAXONOMY_IMAGE
from kfp_sdg.errors import SpecError
from kfp_sdg.images import LOCK_FILE

if TYPE_CHECKING:
    from pathlib import Path

DIGEST = "sha256:" + "0123456789abcdef" * 4
ENTRY = """\
images:
  - name: one
    image: quay.io/a/one
    tag: v1
    role: task
    origin: somebody
    purpose: It is a test.
"""


def problems_of(tmp_path: Path, text: str) -> list[str]:
    file = tmp_path / "images.lock"
    file.write_text(text)
    with pytest.raises(SpecError) as caught:
        read_lock(file)
    return [str(problem).removeprefix(f"{tmp_path}/") for problem in caught.value.problems]


def test_the_images_that_we_build_are_listed_under_the_names_that_components_use():
    ours = {
        image.name: str(image.reference) for image in read_lock(LOCK_FILE) if image.containerfile
    }
    assert ours == {"bundle": BUNDLE_IMAGE, "runtime": RUNTIME_IMAGE, "taxonomy": TAXONOMY_IMAGE}


def test_every_image_of_others_has_its_digest():
    assert [
        image.name for image in read_lock(LOCK_FILE) if image.origin and not image.reference.digest
    ] == []


def test_where_a_digest_was_found_stands_above_it():
    lines = LOCK_FILE.read_text().splitlines()
    above = [lines[i - 1].strip() for i, line in enumerate(lines) if line.startswith("    digest:")]
    assert above
    assert all(line.startswith("#") for line in above)


def test_an_entry_becomes_an_image(tmp_path):
    file = tmp_path / "images.lock"
    file.write_text(ENTRY + f"    digest: {DIGEST}\n")
    (image,) = read_lock(file)
    assert image.reference == ImageReference("quay.io/a/one", "v1", DIGEST)
    assert image.role is ImageRole.TASK
    assert (image.origin, image.containerfile) == ("somebody", None)
    assert str(image.where) == f"{file}:2:5"


@pytest.mark.parametrize(
    ("was", "becomes", "problem"),
    [
        ("role: task", "role: tsk", "images.lock:5:5: 'role' is the text 'tsk'"),
        ("tag: v1", "tagg: v1", "images.lock:4:5: unknown key 'tagg'"),
        ("    tag: v1\n", "", "images.lock:2:5: this image has neither 'tag' nor 'digest'"),
        ("a/one", "a/One", "images.lock:3:5: 'quay.io/a/One' is not the name of an image"),
        (
            "a/one",
            "a/one:v1",
            "images.lock:3:5: 'image' is 'quay.io/a/one:v1', a name with its tag",
        ),
        (
            "    origin: somebody\n",
            "",
            "images.lock:2:5: this image has neither of 'containerfile'",
        ),
        ("tag: v1", "digest: sha256:12", "images.lock:4:5: 'digest' is the text 'sha256:12'"),
        ("tag: v1", "tag: 1.0", "images.lock:4:5: 'tag' is the number 1.0"),
        ("images:", "pictures:", "images.lock:1:1: unknown key 'pictures'"),
    ],
)
def test_a_mistake_is_told_with_its_place(tmp_path, was, becomes, problem):
    assert was in ENTRY
    assert problems_of(tmp_path, ENTRY.replace(was, becomes))[0].startswith(problem)


def test_names_are_unique_and_in_order(tmp_path):
    entry = ENTRY.partition("\n")[2]
    text = ENTRY + entry + entry.replace("name: one", "name: a")
    assert problems_of(tmp_path, text) == [
        "images.lock:8:5: the name 'one' is taken; expected a name of its own for each image "
        "(line 2 has it too)",
        "images.lock:14:5: 'a' stands after 'one'; expected the images in the order of their names",
    ]


def test_a_missing_file_is_a_mistake_of_the_user(tmp_path):
    with pytest.raises(SpecError, match="there is no such list of images file"):
        read_lock(tmp_path / "images.lock")


def test_only_some_images_are_chosen_by_name_or_role():
    lock = read_lock(LOCK_FILE)
    assert [image.name for image in lock.only(["task", "bundle"])] == [
        "bundle",
        "runtime",
        "taxonomy",
    ]
    assert lock.only([]) == lock
    with pytest.raises(KeyError, match="nothing"):
        lock.only(["nothing"])


@pytest.mark.parametrize(
    ("text", "repository", "tag", "digest"),
    [
        ("python", "docker.io/library/python", None, None),
        ("vllm/vllm-openai:v0.23.0", "docker.io/vllm/vllm-openai", "v0.23.0", None),
        ("docker.io/python:3.12", "docker.io/library/python", "3.12", None),
        ("index.docker.io/a/b", "docker.io/a/b", None, None),
        ("localhost/a:1", "localhost/a", "1", None),
        ("localhost:5000/a/b", "localhost:5000/a/b", None, None),
        (f"ghcr.io/a/b:v1@{DIGEST}", "ghcr.io/a/b", "v1", DIGEST),
        (f"[::1]:5000/a@{DIGEST}", "[::1]:5000/a", None, DIGEST),
    ],
)
def test_a_name_is_read_as_the_kubelet_reads_it(text, repository, tag, digest):
    assert parse_reference(text) == ImageReference(repository, tag, digest)


@pytest.mark.parametrize(
    "text", ["", "a b", "A/b", "ghcr.io/a/b:", "ghcr.io/a/b@sha256:12", "{{image}}", "https://a/b"]
)
def test_what_is_no_name_is_refused(text):
    with pytest.raises(NoImageNameError, match=re.escape(f"{text!r} is not the name of an image")):
        parse_reference(text)


def test_a_placeholder_is_a_registry_that_nobody_can_have():
    found = [
        host
        for host in (
            "example.com",
            "registry.example.com:5000",
            "a.example",
            "b.invalid",
            "ghcr.io",
            "myexample.com",
            "example.com.evil.io",
        )
        if is_placeholder(parse_reference(f"{host}/a/b"))
    ]
    assert found == ["example.com", "registry.example.com:5000", "a.example", "b.invalid"]


@pytest.mark.parametrize("text", ["localhost:5000", "quay.io/team/ai", "registry.example.com"])
def test_a_registry_may_have_a_port_and_a_path(text):
    assert is_registry(text)


@pytest.mark.parametrize("text", ["", "https://quay.io", "quay.io/", "a b", "quay.io/a:tag"])
def test_what_is_no_registry_is_refused(text):
    assert not is_registry(text)
