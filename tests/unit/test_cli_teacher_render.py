"""kfp-sdg teacher render: what it writes where, and mistakes."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
import yaml

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cli.teacher_render import Weights
from kfp_sdg.cluster.serving import WeightType

if TYPE_CHECKING:
    from pathlib import Path

KINDS = ["ServingRuntime", "InferenceService", "NetworkPolicy"]


def go(*arguments: str) -> int:
    return main(["teacher", "render", *arguments])


def test_manifests_go_to_standard_output_and_the_estimate_beside_it(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert go("--model", "mixtral-8x7b-instruct") == 0
    printed = capsys.readouterr()
    assert [m["kind"] for m in yaml.safe_load_all(printed.out)] == KINDS
    assert "on 2 GPUs of 80 GiB" in printed.err
    assert "Note: Each start fetches about 93 GB" in printed.err


def test_a_folder_is_for_kubectl_apply_and_can_be_written_again(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "new" / "teacher"
    for gpus in ("2", "4"):
        assert go("--model", "mixtral-8x7b-instruct", "--gpus", gpus, "-o", str(folder)) == 0
    printed = capsys.readouterr().out
    assert f"kubectl apply --server-side -k {folder}" in printed
    assert "on 4 GPUs" in printed
    service = yaml.safe_load((folder / "inference-service.yaml").read_text())
    assert "--tensor-parallel-size=4" in service["spec"]["predictor"]["model"]["args"]
    resources = yaml.safe_load((folder / "kustomization.yaml").read_text())["resources"]
    assert all((folder / name).exists() for name in resources)


def test_a_folder_of_somebody_else_is_left_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    theirs = tmp_path / "kustomization.yaml"
    theirs.write_text("resources: []\n")
    assert go("--model", "mixtral-8x7b-instruct", "-o", str(tmp_path)) == 2
    assert "is not of this command" in capsys.readouterr().err
    assert [file.name for file in tmp_path.iterdir()] == [theirs.name]


def test_a_file_is_yaml_or_json_by_its_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("teacher.yaml", "teacher.json"):
        options = ["--namespace", "team-a", "-o", str(tmp_path / name)]
        assert go("--model", "mixtral-8x7b-instruct", *options) == 0
    assert f"-f {tmp_path / 'teacher.json'}" in capsys.readouterr().out
    items = json.loads((tmp_path / "teacher.json").read_text())["items"]
    assert items == list(yaml.safe_load_all((tmp_path / "teacher.yaml").read_text()))
    assert {item["metadata"]["namespace"] for item in items} == {"team-a"}


def test_standard_output_can_be_json(capsys: pytest.CaptureFixture[str]) -> None:
    assert go("--model", "mixtral-8x7b-instruct", "--format", "json") == 0
    assert [m["kind"] for m in json.loads(capsys.readouterr().out)["items"]] == KINDS


def test_a_model_that_is_not_known_is_described_by_numbers_or_by_its_config(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    numbers = ["--parameters", "46.7b", "--layers", "32", "--kv-heads", "8", "--head-dim", "128"]
    assert go("--model", "a/b", *numbers) == 0
    printed = capsys.readouterr().err
    assert "a/b on 2 GPUs" in printed
    assert "Note: How many attention heads the model has is not known" in printed
    config = tmp_path / "config.json"
    sizes = {"hidden_size": 4096, "intermediate_size": 14336, "vocab_size": 32000}
    heads = {"num_attention_heads": 32, "num_key_value_heads": 8, "num_hidden_layers": 32}
    config.write_text(json.dumps({**sizes, **heads}))
    assert go("--model", "a/b", "--config", str(config)) == 0
    assert "7.24B parameters" in capsys.readouterr().err


def test_adapters_scaling_and_a_running_teacher_are_written(
    capsys: pytest.CaptureFixture[str],
) -> None:
    scaling = ["--max-replicas", "3", "--prometheus", "http://p:9090", "-n", "team-a"]
    adapters = ["--adapter", "skills=pvc://lab/s", "--adapter", "knowledge=pvc://lab/k"]
    assert go("--model", "mixtral-8x7b-instruct", "--running", *scaling, *adapters) == 0
    manifests = {m["kind"]: m for m in yaml.safe_load_all(capsys.readouterr().out)}
    service = manifests["InferenceService"]
    assert "serving.kserve.io/stop" not in service["metadata"]["annotations"]
    assert service["spec"]["predictor"]["maxReplicas"] == 3
    assert "knowledge=/mnt/lora/knowledge" in service["spec"]["predictor"]["model"]["args"]
    assert "PodDisruptionBudget" in manifests


def test_an_llm_service_stands_alone(capsys: pytest.CaptureFixture[str]) -> None:
    assert go("--model", "mixtral-8x7b-instruct", "--llm-inference-service") == 0
    (service,) = yaml.safe_load_all(capsys.readouterr().out)
    assert service["kind"] == "LLMInferenceService"
    assert service["spec"]["parallelism"] == {"tensor": 2}


@pytest.mark.parametrize(
    ("options", "said"),
    [
        (["--model", "a/b"], "is not known"),
        (["--model", "x", "--gpus", "1"], "no name on the Hugging Face Hub"),
        (["--model", "mixtral-8x7b-instruct", "--gpus", "3"], "expected one of 1, 2, 4, 8"),
        (["--model", "mixtral-8x7b-instruct", "--gpus", "1"], "not even its weights fit"),
        (["--model", "a/b", "--parameters", "7B"], "--layers, --kv-heads, --head-dim go with it"),
        (["--model", "a/b", "--parameters", "many"], "is no number of parameters"),
        (["--model", "a/b", "--layers", "3"], "--layers needs --parameters"),
        (["--model", "a/b", "--config", "c.json", "--layers", "3"], "is in the file of --config"),
        (["--model", "mixtral-8x7b-instruct", "--max-replicas", "2"], "--prometheus URL"),
        (["--model", "mixtral-8x7b-instruct", "--prometheus", "http://p"], "--max-replicas"),
        (["--model", "mixtral-8x7b-instruct", "-n", "Team A"], "is no namespace"),
        (["--model", "mixtral-8x7b-instruct", "--format", "json", "-o", "dir"], "is in YAML"),
        (["--model", "mixtral-8x7b-instruct", "-o", "/dev/null/x.yaml"], "cannot write /dev/null"),
        ([], "--model"),
    ],
)
def test_mistakes_are_told_in_a_sentence_and_exit_2(
    options: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert go(*options) == 2
    printed = capsys.readouterr()
    assert said in " ".join(printed.err.split())
    assert printed.out == ""


def test_the_types_of_weights_are_those_of_the_estimate() -> None:
    assert [each.value for each in Weights] == [each.value for each in WeightType]
