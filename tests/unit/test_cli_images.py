"""kfp-sdg images: every image for mirrors, and whether the list of them is complete."""

from __future__ import annotations

import json
import re
import shutil
import subprocess

import pytest
import yaml

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.images import parse_reference, read_lock
from kfp_sdg.images import LOCK_FILE

LOCK = read_lock(LOCK_FILE)


def output(capsys, *args: str) -> str:
    assert main(["images", *args]) == 0
    return capsys.readouterr().out


def mistake(capsys, *args: str) -> str:
    assert main(["images", *args]) == 2
    return capsys.readouterr().err


def test_the_table_has_every_image(capsys):
    lines = output(capsys, "list").splitlines()
    assert [line.split()[0] for line in lines] == [image.name for image in LOCK]
    for line, image in zip(lines, LOCK, strict=True):
        assert image.reference.repository in line


def test_the_json_has_every_image_with_the_name_to_pull(capsys):
    listed = json.loads(output(capsys, "list", "--format", "json"))
    assert [entry["name"] for entry in listed] == [image.name for image in LOCK]
    assert [parse_reference(entry["reference"]).repository for entry in listed] == [
        image.reference.repository for image in LOCK
    ]
    assert all("@" in entry["reference"] for entry in listed if entry["digest"])


def test_only_some_are_listed(capsys):
    listed = json.loads(
        output(capsys, "list", "--only", "task", "--only", "bundle", "--format", "json")
    )
    assert [entry["name"] for entry in listed] == ["bundle", "runtime", "taxonomy"]


def test_the_image_set_is_what_oc_mirror_reads(capsys):
    # internal/pkg/api/v2alpha1/type_config.go of openshift/oc-mirror, read strictly there
    document = yaml.safe_load(output(capsys, "list", "--format", "imageset"))
    images = document["mirror"]["additionalImages"]
    assert document == {
        "apiVersion": "mirror.openshift.io/v2alpha1",
        "kind": "ImageSetConfiguration",
        "mirror": {"additionalImages": images},
    }
    assert [entry["name"] for entry in images] == [image.reference.pinned for image in LOCK]


def test_no_name_for_a_mirror_has_both_tag_and_digest(capsys):
    # oc-mirror takes the tag of such a name, skopeo refuses it
    for args in (["--format", "imageset"], ["--format", "skopeo", "--to", "localhost:5000"]):
        assert not re.search(r":[\w.-]+@sha256", output(capsys, "list", *args))


def test_the_skopeo_script_copies_every_image_to_the_registry(capsys, tmp_path):
    script = tmp_path / "mirror.sh"
    script.write_text(output(capsys, "list", "--format", "skopeo", "--to", "localhost:5000/ai"))
    told = tmp_path / "skopeo"
    told.write_text('#!/bin/sh\necho "$@"\n')
    told.chmod(0o755)
    path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    done = subprocess.run(["sh", str(script)], env=path, capture_output=True, text=True, check=True)
    calls = [line for line in done.stdout.splitlines() if line.startswith("copy ")]
    assert len(calls) == len(LOCK.images)
    assert calls[1] == (
        "copy --all --preserve-digests --retry-times 3 "
        "docker://ghcr.io/kfp-sdg/kfp-sdg-runtime:v0.1.0 "
        "docker://localhost:5000/ai/kfp-sdg/kfp-sdg-runtime:v0.1.0"
    )
    elsewhere = subprocess.run(
        ["sh", str(script), "b.lan"], env=path, capture_output=True, text=True, check=True
    )
    assert "docker://b.lan/kfp-sdg/kfp-sdg-runtime:v0.1.0" in elsewhere.stdout


@pytest.mark.skipif(shutil.which("shellcheck") is None, reason="needs shellcheck")
def test_the_skopeo_script_is_clean(capsys, tmp_path):
    script = tmp_path / "mirror.sh"
    script.write_text(output(capsys, "list", "--format", "skopeo", "--to", "localhost:5000"))
    done = subprocess.run(["shellcheck", str(script)], capture_output=True, text=True, check=False)
    assert done.stdout == ""


def test_the_check_passes_on_what_we_ship(capsys):
    assert "always one of" in output(capsys, "list", "--check")


def test_the_check_fails_with_the_line_of_each_finding(capsys, tmp_path):
    file = tmp_path / "x.yaml"
    file.write_text("image: quay.io/a/b:1\n---\nimage: quay.io/c/d:1\n")
    assert main(["images", "list", "--check", str(file)]) == 1
    err = capsys.readouterr().err
    assert f"{file}:1:8: error: the image quay.io/a/b is not in images.lock" in err
    assert f"{file}:3:8: error: the image quay.io/c/d is not in images.lock" in err
    assert main(["images", "list", "--check", "--format", "json", str(file)]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["ok"], report["files"], report["images"]) == (False, 1, 2)
    assert [(finding["line"], finding["column"]) for finding in report["findings"]] == [
        (1, 8),
        (3, 8),
    ]


@pytest.mark.parametrize(
    ("args", "words"),
    [
        (["list", str(LOCK_FILE)], "only --check reads files"),
        (["list", "--check", "/nowhere"], "does not exist"),
        (["list", "--check", "--only", "task"], "--check goes by the whole list"),
        (["list", "--check", "--format", "skopeo"], "with --check it is plain or json"),
        (["list", "--format", "skopeo"], "needs the registry to copy to"),
        (["list", "--format", "skopeo", "--to", "https://a.b"], "is not a registry"),
        (["list", "--to", "a.b"], "it is for --format skopeo and for --check"),
        (["list", "--only", "runtme"], "did you mean 'runtime'?"),
        (["lock", "--only", "nothing"], "there are bundle, runtime"),
        (["list", "--lock", "/nowhere"], "there is no such list of images file"),
    ],
)
def test_what_does_not_go_together_is_a_mistake(capsys, args, words):
    assert words in " ".join(mistake(capsys, *args).split())
