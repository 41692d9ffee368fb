"""images/bundle: what OpenShift AI's operator and API server ask of a managed-pipelines image.

In a scratch root; tests/containers does the same with the built image.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest
import yaml

from bundles import LIST, list_in_layers, names_in, uploads
from kfp_sdg.compiler.shipped import COMPILED_FOLDER, compiled_names
from kfp_sdg.components.image import RUNTIME_IMAGE, TAXONOMY_IMAGE

BUNDLE = Path(__file__).parents[2] / "images" / "bundle"
NOBODY = ["setpriv", "--reuid=1000650000", "--regid=0", "--clear-groups"]


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """Return the root of the image, as far as the Containerfile's COPY and RUN fill it."""
    root = tmp_path_factory.mktemp("root")
    collect(COMPILED_FOLDER, root / "app", check=True)
    shutil.copy(BUNDLE / "copy_pipelines.py", root / "app")
    return root


@pytest.fixture
def volume(tmp_path) -> Path:
    folder = tmp_path / "config" / "managed-pipelines"
    folder.mkdir(parents=True)
    return folder


def collect(compiled: Path, app: Path, check: bool = False) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-I", BUNDLE / "collect_pipelines.py", compiled, app]
    return subprocess.run(command, capture_output=True, text=True, check=check)


def start(
    root: Path, volume: Path, *prefix: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run the entry point as the init container would, with nothing else in its environment."""
    command = [
        *prefix,
        sys.executable,
        "-I",
        root / "app" / "copy_pipelines.py",
        "--target",
        volume,
    ]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)


def copied(root: Path, volume: Path, **environment: str) -> dict[str, str]:
    done = start(root, volume, **environment)
    assert done.returncode == 0, done.stderr
    return uploads(volume)


def documents_in(text: str) -> list[Any]:
    return list(yaml.load_all(text, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)))


def entries(root: Path) -> list[dict[str, str]]:
    listed: list[dict[str, str]] = json.loads((root / "app" / LIST).read_text())
    return listed


def test_the_list_has_every_compiled_pipeline_and_what_the_operator_reads(root):
    pipelines = [
        documents_in(file.read_text())[0]["pipelineInfo"]
        for file in COMPILED_FOLDER.rglob("*.yaml")
    ]
    assert len(pipelines) == len(compiled_names())
    assert {entry["name"]: entry["description"] for entry in entries(root)} == {
        pipeline["name"]: pipeline["description"].strip() for pipeline in pipelines
    }
    assert names_in((root / "app" / LIST).read_bytes()) == sorted(p["name"] for p in pipelines)
    for entry in entries(root):
        assert (root / "app" / entry["path"]).is_file()
        assert entry["stability"] == "Development Preview"


def test_the_operator_finds_the_list_in_a_layer_under_its_path(root):
    layer = io.BytesIO()
    with tarfile.open(fileobj=layer, mode="w") as tar:  # as COPY /build/app /app writes it
        tar.add(root / "app", arcname="app")
    assert list_in_layers([layer.getvalue()]) == (root / "app" / LIST).read_bytes()


@pytest.mark.parametrize("environment", [{"ALL_PIPELINES": "true"}, {}])
def test_all_pipelines_are_copied_as_they_were_compiled(root, volume, environment):
    compiled = {file.read_text() for file in COMPILED_FOLDER.rglob("*.yaml")}
    assert set(copied(root, volume, **environment).values()) == compiled
    assert json.loads((volume / LIST).read_text()) == entries(root)


def test_only_the_named_pipelines_are_copied_and_listed(root, volume):
    # the API server does not start when it misses the file of a pipeline that is listed
    names = " instructlab,examples-demo,"
    assert list(copied(root, volume, PIPELINE_NAMES=names)) == ["examples-demo", "instructlab"]
    assert sorted(path.name for path in volume.iterdir()) == [
        "examples-demo.yaml",
        "instructlab.yaml",
        LIST,
    ]


@pytest.mark.parametrize(
    ("environment", "words"),
    [
        (
            {"PIPELINE_NAMES": "instructlab,nothing"},
            "no pipeline is called nothing; this image has",
        ),
        ({"PIPELINE_NAMES": "../instructlab"}, "no pipeline is called ../instructlab; this image"),
        ({"PIPELINE_NAMES": "a", "ALL_PIPELINES": "true"}, "both ALL_PIPELINES and PIPELINE_NAMES"),
        ({"ALL_PIPELINES": "yes"}, "ALL_PIPELINES is 'yes'; expected true or false"),
        ({"ALL_PIPELINES": "false"}, "ALL_PIPELINES is false and PIPELINE_NAMES is empty"),
        ({"RELATED_IMAGE_KFP_SDG_RUNTIME": "a b"}, "RELATED_IMAGE_KFP_SDG_RUNTIME is 'a b'"),
    ],
)
def test_what_cannot_be_done_is_told_and_nothing_is_written(root, volume, environment, words):
    done = start(root, volume, **environment)
    assert done.returncode == 1
    assert done.stderr.startswith("kfp-sdg bundle: error: ")
    assert words in done.stderr
    assert list(volume.iterdir()) == []


def test_images_are_swapped_and_nothing_else(root, volume):
    runtime = "registry.example.com:5000/ai/kfp-sdg-runtime@sha256:" + "0" * 64
    pipelines = copied(
        root,
        volume,
        RELATED_IMAGE_KFP_SDG_RUNTIME=f" {runtime} ",
        RELATED_IMAGE_KFP_SDG_TAXONOMY="",
        RELATED_IMAGE_ODH_AUTOML_IMAGE="quay.io/opendatahub/automl:1",
    )
    originals = {entry["name"]: root / "app" / entry["path"] for entry in entries(root)}
    for name, pipeline in pipelines.items():
        documents = documents_in(originals[name].read_text())
        images = set()
        for executor in documents[0]["deploymentSpec"]["executors"].values():
            container = executor["container"]
            if container["image"] == RUNTIME_IMAGE:
                container["image"] = runtime
            images.add(container["image"])
        assert documents_in(pipeline) == documents
        assert images <= {runtime, TAXONOMY_IMAGE}


def test_swapped_pipelines_are_pipelines_for_kfp(root, volume):
    from kfp.components import load_component_from_text

    image = "registry.example.com/kfp-sdg-runtime@sha256:" + "0" * 64
    swap = {"RELATED_IMAGE_KFP_SDG_RUNTIME": image, "PIPELINE_NAMES": "instructlab,examples-demo"}
    for name, pipeline in copied(root, volume, **swap).items():
        loaded = load_component_from_text(pipeline)
        assert loaded.pipeline_spec.pipeline_info.name == name
        assert image in str(loaded.pipeline_spec)


def test_a_variable_that_stands_for_no_image_is_warned_of(root, volume):
    done = start(root, volume, RELATED_IMAGE_KFP_SDG_RUNTME="quay.io/a/b")
    assert done.returncode == 0
    assert (
        "warning: RELATED_IMAGE_KFP_SDG_RUNTME changes nothing; there are "
        "RELATED_IMAGE_KFP_SDG_RUNTIME, RELATED_IMAGE_KFP_SDG_TAXONOMY"
    ) in done.stderr


def test_a_second_start_changes_nothing(root, volume):
    first = copied(root, volume, PIPELINE_NAMES="examples-demo")
    (volume / ".examples-demo.yaml.part").write_text("what a killed container left")
    assert copied(root, volume, PIPELINE_NAMES="examples-demo") == first
    assert sorted(path.name for path in volume.iterdir()) == ["examples-demo.yaml", LIST]


def test_a_random_user_copies_what_everybody_may_read(root, volume):
    # pytest's folders are root's alone; a pod's volume is writable for group 0
    for folder in (volume.parent, *volume.parent.parents, *root.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    root.chmod(0o755)
    volume.chmod(0o2775)
    done = start(root, volume, *NOBODY, PIPELINE_NAMES="examples-demo")
    assert done.returncode == 0, done.stderr
    for path in volume.iterdir():
        assert (path.stat().st_uid, path.stat().st_gid) == (1000650000, 0)
        assert path.stat().st_mode & 0o777 == 0o664


@pytest.mark.parametrize("damage", ["missing", "read-only"])
def test_a_volume_that_cannot_be_written_is_told(root, volume, damage):
    for folder in (volume.parent, *volume.parent.parents, *root.parents):
        if str(folder).startswith("/tmp/"):
            folder.chmod(folder.stat().st_mode | 0o055)
    root.chmod(0o755)
    if damage == "missing":
        volume.rmdir()
    else:
        volume.chmod(0o555)
    done = start(root, volume, *NOBODY)
    assert done.returncode == 1
    words = {"missing": "is not a folder; mount the API server's volume there"}
    assert words.get(damage, f"cannot write {volume}/examples-annotation.yaml: ") in done.stderr
    assert "Traceback" not in done.stderr


def test_nothing_is_written_outside_of_the_volume(root, volume):
    # every file that Python opens to write, makes, moves or changes tells its audit hook
    program = root / "app" / "copy_pipelines.py"
    watched = f"""
import os, runpy, sys
CHANGES = ("os.rename", "os.chmod", "os.mkdir", "os.remove", "os.symlink", "os.link")
def hook(event, args):
    writes = event == "open" and isinstance(args[2], int) and args[2] & (os.O_WRONLY | os.O_RDWR)
    if writes or event in CHANGES:
        sys.stderr.write(f"TOUCHED {{args[0]}}\\n")
sys.addaudithook(hook)
sys.argv = ["copy_pipelines.py", "--target", {str(volume)!r}]
runpy.run_path({str(program)!r}, run_name="__main__")
"""
    command = [sys.executable, "-I", "-B", "-c", watched]
    done = subprocess.run(command, env={}, capture_output=True, text=True, check=True)
    touched = [line.split(" ", 1)[1] for line in done.stderr.splitlines() if "TOUCHED" in line]
    assert len(touched) >= 3 * (len(entries(root)) + 1)
    assert [path for path in touched if os.path.dirname(path) != str(volume)] == []


@pytest.mark.parametrize(
    ("files", "words"),
    [
        ({}, "no compiled pipeline is there"),
        ({"a.yaml": "components: {}\n"}, "a.yaml: no line '# Name: …' at its head"),
        ({"a.yaml": "# Name: _a\n"}, "a.yaml: the name '_a' does not match"),
        (
            {"a.yaml": "# Name: a\n", "b/a.yaml": "# Name: a\n"},
            "another pipeline is called 'a' too",
        ),
        ({"a.yaml": "# Name: a\n# Description: " + "x" * (1 << 20)}, "the list has 1,048,"),
        (
            {"a.yaml": "# Name: a\n" + "#" * (32 << 20)},
            "a.yaml: 33,554,442 bytes, at most 33,554,432",
        ),
    ],
)
def test_what_openshift_ai_would_refuse_is_not_built(tmp_path, files, words):
    for name, text in files.items():
        (tmp_path / "compiled" / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "compiled" / name).write_text(text)
    done = collect(tmp_path / "compiled", tmp_path / "app")
    assert done.returncode == 1
    assert words in done.stderr
    assert not (tmp_path / "app" / LIST).exists()


def test_the_description_is_the_pipeline_s_with_all_of_its_lines(tmp_path):
    (tmp_path / "compiled").mkdir()
    text = "# PIPELINE DEFINITION\n# Name: a\n# Description: One.\n#\n#              1. two\n"
    (tmp_path / "compiled" / "a.yaml").write_text(f"{text}# Inputs:\n#    x: str\n")
    collect(tmp_path / "compiled", tmp_path / "app", check=True)
    assert entries(tmp_path)[0]["description"] == "One.\n\n1. two"
