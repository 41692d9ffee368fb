"""Pipelines that start their teacher on KServe, as KFP runs them on this machine."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from fake_kserve import Controller, inference_service
from fake_kubernetes import FakeKubernetes
from kfp_runs import DROP_B, PROMPT, ROWS
from kfp_sdg.blocks import PipelineContext
from kfp_sdg.compiler import (
    PodOptions,
    TeacherKey,
    TeacherSource,
    compile_pipeline,
    compile_workflow,
)
from kfp_sdg.compiler.local_process import LocalRunner
from kfp_sdg.compiler.pods import PodParameter
from kfp_sdg.engine import run
from kfp_sdg.instructlab.pipeline_set import find_pipelines
from kfp_sdg.spec.model import BlockSpec, PipelineSpec
from kfp_sdg.storage import fingerprint, read_dataset
from kfp_sdg.teacher import TeacherOptions, connect
from stub_teacher import StubTeacher
from taxonomies import SKILL, skill, write_leaf

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import pyarrow as pa

    from kfp_sdg.compiler.package import CompiledGraph

NAME = "teacher"
STOP = "serving.kserve.io/stop"
SOURCE = TeacherSource(inference_service=NAME)
PODS = PodOptions(retries=0)
ASK = BlockSpec(
    "gen_q",
    "LLMBlock",
    {"config_path": "q.yaml", "output_cols": ["question"], "gen_kwargs": {"max_tokens": 64}},
)
SPEC = PipelineSpec((DROP_B, ASK), files={"q.yaml": PROMPT})
NAMES_ADAPTER = PipelineSpec(
    (DROP_B, BlockSpec(ASK.name, ASK.type, {**ASK.config, "model_id": "an-adapter"})),
    files=SPEC.files,
)
SEEDS = json.dumps(ROWS)


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    """The server behind the InferenceService, which serves a model of the service's name."""
    with StubTeacher(models=[NAME]) as stub:
        yield stub


@pytest.fixture
def cluster(
    stub: StubTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[FakeKubernetes]:
    """A cluster with the teacher, stopped."""
    address = stub.url.removesuffix("/v1")
    with FakeKubernetes(Controller(address=address)) as cluster:
        cluster.add(inference_service(NAME))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        yield cluster


class Ended:
    """A run on KFP's local runner that is over."""

    def __init__(self, compiled: CompiledGraph, folder: Path, **arguments: Any) -> None:
        folder.mkdir()
        arguments = {"teacher_patience": 0, **arguments}
        with LocalRunner(compiled.to_yaml(), arguments, folder) as runner:
            self.log = "".join(runner.output())
            self.succeeded = runner.succeeded()
        self._root = runner.pipeline_root

    @property
    def tasks(self) -> set[str]:
        """The tasks that left something."""
        return {folder.name for folder in self._root.glob("*/*") if folder.is_dir()}

    def rows(self, task: str, name: str = "output_rows") -> pa.Table:
        """Return a task's rows."""
        (folder,) = self._root.glob(f"*/{task}/{name}")
        return read_dataset(folder).table


def rows_here(spec: PipelineSpec, rows: pa.Table, stub: StubTeacher, **settings: Any) -> str:
    """Return the fingerprint of what a pipeline gives in this process, the teacher's URL given."""
    with connect(TeacherOptions(stub.url)) as teachers:
        return fingerprint(run(spec, rows, PipelineContext(teachers=teachers, **settings)).rows)


def stops(cluster: FakeKubernetes) -> list[Any]:
    """Return what the stop annotation was set to, in order."""
    bodies = [call.body for call in cluster.calls if call.verb == "patch"]
    found = [(body["metadata"].get("annotations") or {}).get(STOP) for body in bodies]
    return [value for value in found if value is not None]


def test_the_teacher_is_started_asked_and_stopped_and_the_rows_are_those_of_a_teacher_by_url(
    stub: StubTeacher, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    compiled = compile_pipeline(SPEC, pods=PODS, teacher=SOURCE)
    ended = Ended(compiled, tmp_path / "run", seed_samples=SEEDS)

    assert ended.succeeded, ended.log
    assert ended.tasks == {"load", "start-teacher", "preflight", "drop-b", "gen-q", "stop-teacher"}
    expected = rows_here(SPEC, ended.rows("load"), stub)
    assert fingerprint(ended.rows("gen-q")) == expected
    assert stops(cluster) == ["false", "true"]
    assert cluster.annotations(NAME)[STOP] == "true"
    assert {request["model"] for request in stub.requests} == {NAME}
    assert "Warning" not in ended.log


def test_a_failing_block_fails_the_run_and_the_teacher_is_stopped_all_the_same(
    stub: StubTeacher, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    stub.values = {}
    stub.poison = {"stones": 400, "rivers": 400, "birds": 400, "wind": 400}
    compiled = compile_pipeline(SPEC, pods=PODS, teacher=SOURCE)
    ended = Ended(compiled, tmp_path / "run", seed_samples=SEEDS, max_rejected="0")
    assert not ended.succeeded
    assert "rejected" in ended.log
    assert stops(cluster) == ["false", "true"]


def test_a_teacher_that_cannot_do_what_blocks_need_is_stopped_before_anything_is_asked(
    stub: StubTeacher, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    compiled = compile_pipeline(NAMES_ADAPTER, pods=PODS, teacher=SOURCE)
    ended = Ended(compiled, tmp_path / "run", seed_samples=SEEDS)
    assert not ended.succeeded
    assert "an-adapter" in ended.log
    assert not any("About" in prompt for prompt in stub.prompts)
    assert stops(cluster) == ["false", "true"]


def test_a_teacher_that_never_comes_up_fails_the_run_and_gives_its_gpus_back(
    stub: StubTeacher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failure = {"reason": "ModelLoadFailed", "message": "CUDA out of memory"}
    with FakeKubernetes(Controller(failure=failure)) as cluster:
        cluster.add(inference_service(NAME))
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig(tmp_path)))
        compiled = compile_pipeline(SPEC, pods=PODS, teacher=SOURCE)
        ended = Ended(compiled, tmp_path / "run", seed_samples=SEEDS, teacher_start_timeout=60)
        assert not ended.succeeded
        assert "CUDA out of memory" in ended.log
        assert not ended.tasks & {"preflight", "gen-q"}
        assert stops(cluster) == ["false", "true"]
    assert stub.requests == []


def test_rows_that_cannot_be_read_start_no_teacher(cluster: FakeKubernetes, tmp_path: Path) -> None:
    compiled = compile_pipeline(SPEC, pods=PODS, teacher=SOURCE)
    ended = Ended(compiled, tmp_path / "run", input_uri=str(tmp_path / "none.jsonl"))
    assert not ended.succeeded
    assert "false" not in stops(cluster)


def test_the_workflow_starts_one_teacher_for_all_kinds_and_skips_those_without_leaves(
    stub: StubTeacher, cluster: FakeKubernetes, tmp_path: Path
) -> None:
    write_leaf(tmp_path / "taxonomy", SKILL, skill())
    pods = PodOptions(retries=0, parameters=tuple(PodParameter))
    source = TeacherSource(inference_service=NAME, key=TeacherKey.SERVICE_ACCOUNT)
    compiled = compile_workflow(find_pipelines("simple"), pods=pods, teacher=source)
    ended = Ended(
        compiled,
        tmp_path / "run",
        taxonomy_repo=str(tmp_path / "taxonomy"),
        num_instructions_to_generate=1,
        pod_tolerations=[{"key": "batch", "operator": "Exists", "tolerationSeconds": 30}],
        pod_memory_limit="6Gi",
    )

    assert ended.succeeded, ended.log
    skipped = {task for task in ended.tasks if task.startswith("no-rows")}
    assert len(skipped) == 3
    assert ended.tasks - skipped == {
        *("preprocess", "start-teacher", "preflight", "gen-skill-freeform", "stop-teacher"),
        *("postprocess", "check-leaves"),
    }
    spec = find_pipelines("simple").freeform
    assert spec is not None
    rows = ended.rows("preprocess", "freeform_rows")
    expected = rows_here(spec, rows, stub, num_instructions_to_generate=1)
    assert fingerprint(ended.rows("gen-skill-freeform")) == expected
    assert stops(cluster) == ["false", "true"]
    assert "have no effect" not in ended.log  # there are no pods here to limit


def test_a_preflight_alone_checks_the_teacher_of_the_run_form(
    stub: StubTeacher, tmp_path: Path
) -> None:
    compiled = compile_pipeline(SPEC, pods=PODS, teacher=TeacherSource(preflight=True))
    base = stub.url.removesuffix("/v1")
    ended = Ended(compiled, tmp_path / "good", teacher_url=base, seed_samples=SEEDS)
    assert ended.succeeded, ended.log
    assert ended.tasks == {"load", "drop-b", "preflight", "gen-q"}
