"""The images as they are built: what their configuration says, and what is inside of them."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from kfp_sdg import __version__
from kfp_sdg.components.build import component_folders
from kfp_sdg.components.image import BUNDLE_IMAGE, RUNTIME_IMAGE, TAXONOMY_IMAGE, component_image
from pdf_documents import pdf

if TYPE_CHECKING:
    from kfp_sdg.compiler.containers import ContainerTool

HERE = Path(__file__).parent
COMPONENTS = HERE.parents[1] / "components"
EVERY_IMAGE = [RUNTIME_IMAGE, TAXONOMY_IMAGE, BUNDLE_IMAGE]
TASK_IMAGES = [RUNTIME_IMAGE, TAXONOMY_IMAGE]
OPENSHIFT = (
    *("--network=none", "--user=1000650000:0", "--read-only", "--cap-drop=all"),
    *("--security-opt=no-new-privileges", "--tmpfs=/tmp"),
)
"""As the restricted-v2 constraint runs a pod with an emptyDir on /tmp."""


def run(tool: ContainerTool, image: str, *command: str, options: tuple[str, ...] = ()) -> str:
    """Run a command in an image under OpenShift's rules; return what it prints."""
    tool.require_images([image])
    tmpfs = ("--read-only-tmpfs=false",) if tool.kind == "podman" else ()
    return tool.ask("run", "--rm", *OPENSHIFT, *tmpfs, *options, image, *command)


def configuration(tool: ContainerTool, image: str) -> dict[str, Any]:
    tool.require_images([image])
    found: dict[str, Any] = json.loads(
        tool.ask("image", "inspect", "--format", "{{json .Config}}", image)
    )
    return found


def imports_of(folder: str) -> list[list[str]]:
    """Return what the function of a component imports when its task starts."""
    tree = ast.parse((COMPONENTS / folder / "component.py").read_text(encoding="utf-8"))
    (function,) = [node for node in tree.body if isinstance(node, ast.FunctionDef)]
    return [
        [node.module, name.name]
        for node in ast.walk(function)
        if isinstance(node, ast.ImportFrom) and node.module
        for name in node.names
    ]


def look_around(tool: ContainerTool, image: str, *, every_module: bool = False) -> dict[str, Any]:
    """Return what ``look_around.py`` sees in an image that tasks run in."""
    folders = [folder for folder in component_folders() if component_image(folder) == image]
    imports = [pair for folder in folders for pair in imports_of(folder)]
    assert imports
    imports.append(["kfp.dsl.executor_main", "executor_main"])
    seen: dict[str, Any] = json.loads(
        run(
            *(tool, image, "python3", "/look_around.py"),
            json.dumps({"imports": imports, "all": every_module}),
            options=(f"--volume={HERE / 'look_around.py'}:/look_around.py:ro",),
        )
    )
    return seen


@pytest.mark.parametrize("image", EVERY_IMAGE)
def test_an_image_names_a_user_by_number_in_group_0(tool: ContainerTool, image: str) -> None:
    assert configuration(tool, image)["User"] == "1001:0"


@pytest.mark.parametrize("image", EVERY_IMAGE)
def test_an_image_says_what_it_is_and_which_version(tool: ContainerTool, image: str) -> None:
    name = image.rpartition("/")[2].partition(":")[0].removeprefix("kfp-sdg-")
    labels = configuration(tool, image)["Labels"]
    assert labels["org.opencontainers.image.version"] == labels["version"] == __version__
    assert labels["org.opencontainers.image.title"] == f"kfp-sdg {name}"
    assert labels["com.redhat.component"] == f"kfp-sdg-{name}"
    assert labels["name"] == f"kfp-sdg/{name}"
    assert labels["org.opencontainers.image.revision"]
    assert labels["org.opencontainers.image.licenses"] == "Apache-2.0"
    for told in (
        "summary",
        "description",
        "io.k8s.description",
        "io.k8s.display-name",
        "maintainer",
    ):
        assert "sdg" in labels[told].lower()
    assert labels["io.openshift.expose-services"] == ""


def test_the_runtime_stays_small(tool: ContainerTool) -> None:
    base = configuration(tool, RUNTIME_IMAGE)["Labels"]["org.opencontainers.image.base.name"]
    if not base.startswith("localhost/kfp-sdg/debian-python:"):
        pytest.skip(f"the limit is for Debian, and this is built on {base}")
    size = int(tool.ask("image", "inspect", "--format", "{{.Size}}", RUNTIME_IMAGE))
    assert size <= 450e6


@pytest.mark.parametrize("image", TASK_IMAGES)
def test_what_a_task_says_to_run_is_what_runs(tool: ContainerTool, image: str) -> None:
    # an ENTRYPOINT would come before a task's command under docker, and not on Kubernetes
    assert not configuration(tool, image).get("Entrypoint")
    assert run(tool, image, "sh", "-ec", "printf '%s' \"$0\"", "as it is") == "as it is"


@pytest.mark.parametrize("image", TASK_IMAGES)
def test_every_component_starts_under_openshifts_rules(tool: ContainerTool, image: str) -> None:
    seen = look_around(tool, image)
    assert seen["missing"] == []
    assert (seen["uid"], seen["gid"], seen["home"]) == (1000650000, 0, "/tmp")
    assert seen["interpreter"] == "/opt/kfp-sdg/bin/python3"
    assert seen["rights"] == "0o664"
    assert seen["compilers"] == []
    assert seen["commands"] == ["kfp-sdg", *(["ssh"] if image == TAXONOMY_IMAGE else [])]
    assert not [name for name in seen["environment"] if name.startswith(("PIP_", "UV_", "SSL_"))]


@pytest.mark.parametrize("image", TASK_IMAGES)
def test_no_start_of_a_task_compiles_anything(tool: ContainerTool, image: str) -> None:
    assert look_around(tool, image)["uncompiled"] == []
    told = run(tool, image, "sh", "-c", "python3 -v -c 'import kfp_sdg.runtime.task' 2>&1")
    assert "kfp_sdg/runtime/__pycache__/task." in told
    compiled_now = [
        line for line in told.splitlines() if "code object from" in line and ".py'" in line
    ]
    assert [line for line in compiled_now if "/opt/kfp-sdg" in line] == []


def test_what_the_image_leaves_out_is_missed_where_it_is_said(tool: ContainerTool) -> None:
    # images/uv.toml: the transport over a client of the openai package, which no task is given
    seen = look_around(tool, RUNTIME_IMAGE, every_module=True)
    assert seen["broken"] == ["kfp_sdg.teacher.openai_transport misses openai"]


def test_datasets_and_arrow_work_in_what_is_left_of_them(tool: ContainerTool) -> None:
    code = """
import json, datasets, pyarrow as pa, pyarrow.compute, pyarrow.csv, pyarrow.json, pyarrow.dataset
from kfp_sdg.storage import read_rows
rows = [{"text": f"t{n}", "n": n} for n in range(5)]
made = datasets.Dataset.from_list(rows).map(lambda row: {"twice": 2 * row["n"]})
made.to_parquet("/tmp/rows.parquet"); made.to_json("/tmp/rows.jsonl"); made.to_csv("/tmp/rows.csv")
for name in ("rows.parquet", "rows.jsonl", "rows.csv"):
    assert read_rows(f"/tmp/{name}").num_rows == 5, name
place = {"train": "/tmp/rows.parquet"}
back = datasets.load_dataset("parquet", data_files=place, split="train", cache_dir="/tmp/c")
assert back.to_pandas()["twice"].sum() == 20
print("all", pa.dataset.dataset("/tmp/rows.parquet").count_rows())
"""
    assert run(tool, RUNTIME_IMAGE, "python3", "-c", code).split() == ["all", "5"]


def test_the_command_line_runs_in_the_image(tool: ContainerTool) -> None:
    assert run(tool, RUNTIME_IMAGE, "kfp-sdg", "--version").split() == ["kfp-sdg", __version__]
    assert "LLMBlock" in run(tool, RUNTIME_IMAGE, "kfp-sdg", "blocks", "list")


def test_no_package_of_debians_lies_around(tool: ContainerTool) -> None:
    fetched = "ls /var/cache/apt/archives/*.deb 2>/dev/null || true"
    assert run(tool, TAXONOMY_IMAGE, "sh", "-c", fetched) == ""


def test_ssh_runs_as_a_user_that_nobody_knows(tool: ContainerTool) -> None:
    if tool.kind != "podman":
        pytest.skip("docker gives no user an entry, so there is nothing to take away")
    nameless = ("--passwd=false",)
    plain = "/usr/bin/ssh -G example.com 2>&1 || true"
    assert "No user exists for uid 1000650000" in run(
        tool, TAXONOMY_IMAGE, "sh", "-c", plain, options=nameless
    )
    ours = run(tool, TAXONOMY_IMAGE, "ssh", "-G", "example.com", options=nameless)
    assert "hostname example.com" in ours
    git = run(
        *(tool, TAXONOMY_IMAGE, "sh", "-c"),
        "git ls-remote ssh://git@127.0.0.1:9/x 2>&1 || true",
        options=nameless,
    )
    assert "Connection refused" in git


def test_documents_are_converted_in_the_taxonomy_image(tool: ContainerTool, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(pdf([(72, 700, 12, "Bees live in a hive.")]))
    (folder / "b.html").write_text("<h1>Hive</h1><p>Bees live here.</p>")
    for file in folder.iterdir():
        file.chmod(0o644)
    code = """
from pathlib import Path
from kfp_sdg.instructlab.documents import DoclingConverter
for file in sorted(Path("/documents").iterdir()):
    print(DoclingConverter().to_markdown(file, file.name))
"""
    told = run(
        *(tool, TAXONOMY_IMAGE, "python3", "-c", code),
        options=(f"--volume={folder}:/documents:ro",),
    )
    assert "Bees live in a hive." in told
    assert "# Hive" in told
