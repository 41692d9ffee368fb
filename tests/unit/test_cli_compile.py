"""kfp-sdg compile: the files it writes, and mistakes."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

import pytest
import yaml

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.compile_options import Key, PodField
from kfp_sdg.compiler import TeacherKey, compile_pipeline
from kfp_sdg.compiler.pods import PodParameter
from kfp_sdg.pipelines import SHIPPED_FOLDER, shipped
from kfp_sdg.spec import load_pipeline

if TYPE_CHECKING:
    from pathlib import Path


RENAME = """\
version: "1.0"
blocks:
  - name: rename
    type: RenameColumnsBlock
    config:
      columns_map: {a: b}
"""


def go(output: Path, *more: str) -> int:
    return main(["compile", "examples/demo", "-o", str(output), *more])


def test_the_file_is_what_the_compiler_gives_and_the_way_on_is_told(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "new" / "demo.yaml"
    assert go(output, "--name", "My demo", "--description", "Questions.") == 0
    spec = load_pipeline(shipped("examples/demo"))
    compiled = compile_pipeline(spec, name="My demo", description="Questions.")
    assert output.read_text(encoding="utf-8") == compiled.to_yaml()
    printed = capsys.readouterr()
    assert f"{output}: examples/demo, 3 blocks" in printed.out
    assert "Upload it" in printed.out
    assert printed.err == ""


def test_resources_are_written_for_a_namespace(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "demo.yaml"
    assert go(output, "--format", "crd", "--namespace", "team-a") == 0
    resources = list(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    assert [resource["kind"] for resource in resources] == ["Pipeline", "PipelineVersion"]
    assert {resource["metadata"]["namespace"] for resource in resources} == {"team-a"}
    assert f"kubectl apply --server-side -f {output}" in capsys.readouterr().out


@pytest.mark.parametrize("of_ones_own", [False, True])
def test_a_folder_of_pipelines_becomes_the_whole_workflow(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], of_ones_own: bool
) -> None:
    name, output = "instructlab/simple", tmp_path / "workflow.yaml"
    if of_ones_own:
        shutil.copytree(SHIPPED_FOLDER / "instructlab", tmp_path / "instructlab")
        name = str(tmp_path / "instructlab" / "simple")
    assert main(["compile", name, "-o", str(output)]) == 0
    package = next(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    expected = "simple" if of_ones_own else "instructlab-simple"
    assert package["pipelineInfo"]["name"] == expected
    assert set(package["root"]["dag"]["tasks"]) >= {"preprocess", "knowledge", "postprocess"}
    printed = capsys.readouterr()
    assert f"{output}: the workflow of {name}, 3 blocks" in printed.out
    assert printed.err == ""


def test_a_workflow_can_be_resources_too(tmp_path: Path) -> None:
    output = tmp_path / "workflow.yaml"
    assert main(["compile", "simple", "-o", str(output), "--format", "crd", "--name", "Mine"]) == 0
    resources = list(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    assert [r["kind"] for r in resources] == ["Pipeline", "PipelineVersion"]
    assert resources[0]["metadata"]["name"] == "mine"


def test_a_folder_without_pipelines_names_the_files_that_are_missing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["compile", str(tmp_path), "-o", str(tmp_path / "x.yaml")]) == 2
    assert "knowledge.yaml, freeform_skills.yaml, grounded_skills.yaml" in capsys.readouterr().err


@pytest.mark.parametrize("namespace", ["Team A", "-a", "a-", "a.b", "a" * 64])
def test_a_namespace_that_kubernetes_would_refuse_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], namespace: str
) -> None:
    assert go(tmp_path / "x.yaml", "--format", "crd", f"--namespace={namespace}") == 2
    assert repr(namespace) in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_a_place_that_cannot_be_written_is_a_mistake(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(tmp_path) == 2
    assert f"cannot write {tmp_path}" in capsys.readouterr().err


def test_the_pipeline_itself_is_not_written_over(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "mine.yaml"
    file.write_text(RENAME)
    (tmp_path / "link.yaml").symlink_to(file)
    assert main(["compile", str(file), "-o", str(tmp_path / "link.yaml")]) == 2
    assert "is what this command reads" in capsys.readouterr().err
    assert file.read_text() == RENAME


PODS = (
    "--cpu-request=200m --cpu-limit=asking=4 --memory-request=300Mi --memory-limit=column=1Gi "
    "--toleration=batch=sdg:NoSchedule --node-selector=pool=cpu --image-pull-secret=pulling "
    "--pod-label=team=sdg --pod-annotation=example.com/note=hello --retries=5 "
    "--pod-parameter=memory-limit --runtime-image=mirror.example/runtime:1"
)


def test_what_is_said_about_pods_is_in_the_file(tmp_path: Path) -> None:
    output = tmp_path / "demo.yaml"
    assert go(output, *PODS.split()) == 0
    package, platform = yaml.safe_load_all(output.read_text(encoding="utf-8"))
    container = package["deploymentSpec"]["executors"]["exec-gen-questions"]["container"]
    assert container["image"] == "mirror.example/runtime:1"
    resources = container["resources"]
    assert (resources["resourceCpuRequest"], resources["resourceCpuLimit"]) == ("200m", "4")
    task = package["root"]["dag"]["tasks"]["gen-questions"]
    assert task["retryPolicy"]["maxRetryCount"] == 5
    form = package["root"]["inputDefinitions"]["parameters"]
    assert form["pod_memory_limit"]["defaultValue"] == "4Gi"
    config = platform["platforms"]["kubernetes"]["deploymentSpec"]["executors"]["exec-load"]
    assert config["podMetadata"]["labels"] == {"team": "sdg"}
    assert config["podMetadata"]["annotations"] == {"example.com/note": "hello"}
    assert config["imagePullSecret"][0]["secretName"] == "pulling"
    assert config["nodeSelector"]["labels"] == {"pool": "cpu"}
    assert config["tolerations"][0]["key"] == "batch"
    assert config["securityContext"] == {"runAsNonRoot": True}


def test_images_come_from_the_variables_that_operators_set_and_an_empty_one_is_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("RELATED_IMAGE_KFP_SDG_RUNTIME", "mirror.example/runtime@sha256:" + "a" * 64)
    monkeypatch.setenv("RELATED_IMAGE_KFP_SDG_TAXONOMY", "")
    output = tmp_path / "workflow.yaml"
    assert main(["compile", "simple", "-o", str(output)]) == 0
    package = next(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    executors = package["deploymentSpec"]["executors"]
    images = {name: executor["container"]["image"] for name, executor in executors.items()}
    assert images.pop("exec-preprocess").startswith("ghcr.io/kfp-sdg/kfp-sdg-taxonomy:")
    assert set(images.values()) == {"mirror.example/runtime@sha256:" + "a" * 64}


def test_the_command_line_offers_every_choice_that_the_compiler_has() -> None:
    """It has lists of its own, since ``--help`` cannot wait for the compiler to be imported."""
    assert list(PodField) == list(PodParameter)
    assert list(Key) == list(TeacherKey)


@pytest.mark.parametrize(
    ("options", "around", "key"),
    [
        ([], set(), "secret"),
        (["--preflight"], {"preflight"}, "secret"),
        (["--teacher", "inferenceservice:mine"], {"start", "preflight", "stop"}, "account"),
        (["--teacher=inferenceservice:mine", "--teacher-key=secret"], {"start"}, "secret"),
        (["--teacher-key=service-account"], set(), "account"),
    ],
)
def test_the_teacher_is_that_of_the_options(
    tmp_path: Path, options: list[str], around: set[str], key: str
) -> None:
    output = tmp_path / "demo.yaml"
    assert go(output, *options) == 0
    package = next(yaml.safe_load_all(output.read_text(encoding="utf-8")))
    executors = package["deploymentSpec"]["executors"]
    names = {name.removeprefix("exec-").removesuffix("-teacher") for name in executors}
    assert around <= names
    (variable,) = executors["exec-gen-questions"]["container"]["env"]
    assert ("serviceaccount" in variable["value"]) == (key == "account")
    form = package["root"]["inputDefinitions"]["parameters"]
    asked = "inference_service" if "start" in around else "teacher_url"
    assert form[asked].get("defaultValue") == ("mine" if "start" in around else None)


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--teacher", "http://t/v1"], "is no teacher that a cluster could start; expected infer"),
        (["--teacher", "inferenceservice:"], "--teacher: '' is no name of an InferenceService"),
        (["--teacher-key", "mine"], "'mine' is not one of 'secret', 'service-account'"),
        (["--teacher-key-host=a.example.com"], "is no service account's token to be shown"),
        (
            ["--teacher-key=service-account", "--teacher-key-host=https://a.example.com"],
            "--teacher-key-host: 'https://a.example.com' is no host; expected a name without",
        ),
        (["--memory-limit", "1.5Gi"], "--memory-limit: '1.5Gi' is no amount of memory"),
        (["--cpu-limit", "gpu=1"], "--cpu-limit: 'gpu' is no kind of task; expected one of asking"),
        (["--cpu-request=4", "--cpu-limit=2"], "the cpu-request 4 of asking tasks is above"),
        (["--toleration", "a=b"], "--toleration: 'a=b' has no effect; expected KEY[=VALUE]:EFFECT"),
        (["--node-selector", "pool"], "--node-selector: 'pool' has no =; expected KEY=VALUE"),
        (
            ["--node-selector=pool=cpu", "--node-selector=pool=gpu"],
            "--node-selector: 'pool' is given twice, as 'cpu' and as 'gpu'",
        ),
        (["--pod-label", "a=b c"], "--pod-label: 'b c' is no value"),
        (["--pod-annotation", "a={{x}}"], "--pod-annotation: '{{x}}' has two opening braces"),
        (["--pod-label", "pipelines.kubeflow.org/x=1"], "Kubeflow Pipelines sets itself"),
        (["--image-pull-secret", "My_Secret"], "--image-pull-secret: 'My_Secret' is no name"),
        (["--runtime-image", "A B"], "--runtime-image: 'A B' is no image"),
        (["--pod-parameter", "gpu"], "'gpu' is not one of 'cpu-limit'"),
        (["--pod-parameter=cpu-limit", "--cpu-limit=none"], "cannot ask for the cpu-limit"),
        (["--retries=-1"], "-1 is not in the range"),
        (["--config-root=nowhere"], "'nowhere' does not exist"),
    ],
)
def test_what_a_cluster_would_refuse_is_a_mistake_here(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], options: list[str], expected: str
) -> None:
    assert go(tmp_path / "x.yaml", *options) == 2
    assert expected in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
