"""``generate_data`` and its steps: from a taxonomy of four leaves to training data."""

from __future__ import annotations

import json
import logging
import signal
import subprocess
import sys
import time
from collections import Counter
from typing import Any

import pytest
import yaml
from instructlab.schema.taxonomy import TaxonomyReadingException

from dropin_helpers import client_of
from dropin_runs import BIRDS, SEEDS, contents, go
from instructlab.sdg import (
    BlockRegistry,
    GenerateException,
    Pipeline,
    PipelineBlockError,
    mix_datasets,
)
from instructlab.sdg.blocks.block import Block
from instructlab.sdg.generate_data import (
    generate_taxonomy,
    generate_taxonomy_eval,
    postprocess_taxonomy,
    preprocess_taxonomy,
)
from instructlab.sdg.utils.json import jldump, jlload
from kfp_sdg.engine import read_run
from signals import reset_signals
from stub_teacher import StubTeacher
from taxonomy_runs import LEAVES
from workflows import answer


@pytest.mark.parametrize("pipeline", ["simple", "full"])
def test_a_taxonomy_becomes_all_files_that_instructlab_writes(made, stub, pipeline):
    date = go(stub, pipeline=pipeline, system_prompt="Be kind.")
    out = made / "out"
    kinds = ("knowledge", "skills")
    assert {path.name for path in out.iterdir()} == {
        *(f"{name}_{date}" for name in ("preprocessed", "generated", "node_datasets", "run")),
        *(f"{name}_{date}.jsonl" for name in ("test", "train", "messages")),
        *(f"{kind}_recipe_{date}.yaml" for kind in kinds),
        *(f"{kind}_train_msgs_{date}.jsonl" for kind in kinds),
    }
    assert {path.name for path in (out / f"node_datasets_{date}").iterdir()} == {
        *(f"{leaf}.jsonl" for leaf in LEAVES[:3]),
        *(f"{BIRDS}_{phase}.jsonl" for phase in ("p07", "p10")),
        f"mmlubench_{BIRDS}.jsonl",
        f"{BIRDS}_task.yaml",
    }
    generated = {leaf: jlload(out / f"generated_{date}" / f"{leaf}.jsonl") for leaf in LEAVES}
    total = sum(map(len, generated.values()))
    assert total
    for name in ("train", "messages"):
        assert len(jlload(out / f"{name}_{date}.jsonl")) == total
    assert {row["system"] for row in jlload(out / f"train_{date}.jsonl")} == {"Be kind."}
    assert {row["system"] for row in jlload(out / f"test_{date}.jsonl")} == {"Be kind."}
    mixed = jlload(out / f"skills_train_msgs_{date}.jsonl")
    assert {row["messages"][0]["content"] for row in mixed} == {"Be kind."}
    assert len(mixed) >= 3 * 30
    questions = jlload(out / f"node_datasets_{date}" / f"mmlubench_{BIRDS}.jsonl")
    for row in questions:
        letter = row["mmlubench_answer"][0]
        assert row["answer"] == "ABCD".index(letter)
    for kind, rows in Counter(r["leaf_node_type"] for g in generated.values() for r in g).items():
        assert read_run(out / f"run_{date}" / kind).rows.num_rows == rows


def test_the_steps_one_by_one_give_what_the_whole_gives(made, stub):
    date = go(stub, pipeline="full", system_prompt="Be kind.")
    steps = made / "steps"
    steps.mkdir()
    client = client_of(stub)
    model = {"model_family": "mixtral", "model_id": "stub-model"}
    files = preprocess_taxonomy(
        "taxonomy",
        steps / f"preprocessed_{date}",
        test_output_file=steps / f"test_{date}.jsonl",
        system_prompt="Be kind.",
    )
    assert files == [str(steps / f"preprocessed_{date}" / f"{leaf}.jsonl") for leaf in LEAVES]
    generate_taxonomy(
        client,
        steps / f"preprocessed_{date}",
        steps / f"generated_{date}",
        num_instructions_to_generate=1,
        pipeline="full",
        **model,
    )
    generate_taxonomy_eval(client, steps / f"preprocessed_{date}", steps, date, **model)
    postprocess_taxonomy(
        steps / f"generated_{date}", steps, date, pipeline="full", system_prompt="Be kind."
    )
    for kind in ("skills", "knowledge"):
        mix_datasets(
            f"{steps}/{kind}_recipe_{date}.yaml",
            f"{steps}/{kind}_train_msgs_{date}.jsonl",
            system_prompt="Be kind.",
        )
    assert contents(steps, steps) == contents(made / "out", made / "out")


def test_a_second_run_with_the_same_checkpoint_asks_nothing(made, stub):
    first = go(stub, "one", pipeline="full", checkpoint_dir="ck")
    asked = len(stub.requests)
    again = go(stub, "two", pipeline="full", checkpoint_dir="ck")
    assert len(stub.requests) == asked
    for leaf in LEAVES:
        paths = [made / out / f"generated_{date}" / f"{leaf}.jsonl"
                 for out, date in (("one", first), ("two", again))]  # fmt: skip
        assert paths[0].read_bytes() == paths[1].read_bytes()
        [kept] = (made / "ck" / leaf).iterdir()
        assert jlload(kept) == jlload(paths[0])


RUN = """
import sys
sys.path[:0] = {path!r}
import openai
from instructlab.sdg import generate_data
generate_data(openai.OpenAI(base_url={url!r}, api_key="x"), model_family="mixtral",
              model_name="stub-model", taxonomy="taxonomy", output_dir="killed", pipeline="full",
              num_instructions_to_generate=1, checkpoint_dir="ck")
"""


def test_a_run_that_was_killed_goes_on_without_asking_again(made, stub):
    date = go(stub, "whole", pipeline="full")
    needed = len(stub.requests)
    stub.latency = 0.02
    process = subprocess.Popen(
        [sys.executable, "-c", RUN.format(path=sys.path, url=stub.url)],
        stderr=subprocess.DEVNULL,
        preexec_fn=reset_signals,
    )
    while len(stub.requests) < needed + needed // 2 and process.poll() is None:
        time.sleep(0.005)
    process.kill()
    assert process.wait() == -signal.SIGKILL
    time.sleep(0.1)  # what it had sent may still be on its way
    paid = len(stub.requests) - needed
    stub.latency = 0
    again = go(stub, "again", pipeline="full", checkpoint_dir="ck")
    asked = len(stub.requests) - needed - paid
    assert asked < needed
    for leaf in LEAVES:
        paths = [made / out / f"generated_{day}" / f"{leaf}.jsonl"
                 for out, day in (("whole", date), ("again", again))]  # fmt: skip
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_pipeline_with_the_same_checkpoint_is_asked_anew(made, stub):
    go(stub, "one", pipeline="simple", checkpoint_dir="ck")
    asked = len(stub.requests)
    date = go(stub, "two", pipeline="full", checkpoint_dir="ck")
    assert len(stub.requests) > asked + SEEDS
    rows = jlload(made / "two" / f"generated_{date}" / f"{BIRDS}.jsonl")
    assert "output" not in rows[0]


@pytest.mark.parametrize("pipeline", ["simple", "full"])
def test_rows_of_instructlabs_checkpoints_are_not_generated_again(made, stub, pipeline):
    date = go(stub, "one", pipeline=pipeline)
    whole = len(stub.requests)
    for leaf in LEAVES:
        rows = jlload(made / "one" / f"generated_{date}" / f"{leaf}.jsonl")
        jldump(rows, made / "ck" / leaf / f"data_checkpoint_{'0' * 31}1.jsonl")
    again = go(stub, "two", pipeline=pipeline, checkpoint_dir="ck")
    asked = len(stub.requests) - whole
    assert asked < whole
    if pipeline == "simple":
        assert asked == 5  # the evaluation's alone
    for leaf in LEAVES:
        first, second = (
            jlload(made / out / f"generated_{day}" / f"{leaf}.jsonl")
            for out, day in (("one", date), ("two", again))
        )
        assert sorted(map(canonical, first)) == sorted(map(canonical, second))


def canonical(row: dict[str, Any]) -> str:
    return json.dumps({k: v for k, v in row.items() if v is not None}, sort_keys=True)


def test_a_leaf_of_which_nothing_came_is_told_with_the_reason(made, caplog):
    def mute(ask: Any) -> str | None:
        return "" if "text for rhymes" in ask.prompt else answer(ask)

    caplog.set_level(logging.INFO)
    with StubTeacher(answer=mute) as stub:
        date = go(stub, pipeline="simple")
    told = "Nothing was generated for leaf compositional_skills_rhymes: 10 rejected at gen_skill"
    assert told in caplog.text
    files = {path.stem for path in (made / "out" / f"generated_{date}").iterdir()}
    assert files == set(LEAVES) - {"compositional_skills_rhymes"}


def test_when_nothing_came_of_any_leaf_it_is_an_error_with_the_reasons(made):
    with StubTeacher(answer=lambda ask: "") as stub, pytest.raises(GenerateException) as caught:
        go(stub, pipeline="simple")
    assert "nothing was generated for any leaf" in str(caught.value)
    for leaf in LEAVES:
        assert leaf in str(caught.value)
    assert list((made / "out").glob("run_*/knowledge/rejected"))


def test_what_was_finished_before_a_failure_is_written(made):
    stub = StubTeacher(answer=answer, poison={"On letters": 401})
    with stub, pytest.raises(PipelineBlockError) as caught:
        go(stub, pipeline="simple")
    assert isinstance(caught.value, GenerateException)
    assert caught.value.block_name == "gen_skill_grounded"
    [folder] = (made / "out").glob("generated_*")
    assert f"{BIRDS}.jsonl" in {path.name for path in folder.iterdir()}


def test_what_kfp_sdg_logs_goes_to_the_clients_logger(made, stub, caplog):
    names = set()
    handler = logging.Handler()
    handler.emit = lambda record: names.add(record.name)  # type: ignore[method-assign]
    logger = logging.getLogger("instructlab")
    logger.addHandler(handler)
    try:
        rhymes = made / "taxonomy" / "compositional_skills" / "rhymes"
        rhymes.joinpath("qna.yml").write_text("version: 3\n")  # doubtful: a warning of kfp_sdg's
        go(stub, pipeline="simple")
    finally:
        logger.removeHandler(handler)
    assert "kfp_sdg.instructlab.taxonomy.read" in names
    assert "kfp_sdg.instructlab.taxonomy.read" in {record.name for record in caplog.records}


@pytest.mark.parametrize(
    ("settings", "kind", "told"),
    [
        ({"taxonomy": "absent"}, TaxonomyReadingException, "absent"),
        ({"taxonomy": None}, TaxonomyReadingException, "does not exist"),
        ({"output_dir": None}, GenerateException, "output_dir"),
        ({"pipeline": "grand"}, GenerateException, "no pipelines of this name"),
        ({"pipeline": "/nowhere"}, GenerateException, "no such folder"),
        ({"model_family": "nobody"}, GenerateException, "nobody"),
        ({"model_name": "absent"}, GenerateException, "stub-model"),
        ({"taxonomy_base": "absent"}, TaxonomyReadingException, "absent"),
        ({"chunk_word_count": 9000}, TaxonomyReadingException, "9000"),
        ({"num_instructions_to_generate": None}, PipelineBlockError, "scaled"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_what_is_wrong_is_a_generate_exception_before_anything_is_asked(
    made, stub, settings, kind, told
):
    with pytest.raises(GenerateException, match=told) as caught:
        go(stub, **settings)
    assert isinstance(caught.value, kind)
    assert stub.requests == []


def test_a_broken_file_of_a_taxonomy_is_told_with_its_line(made, stub):
    file = made / "taxonomy" / "compositional_skills" / "rhymes" / "qna.yaml"
    file.write_text(file.read_text().replace("answer: Answer 3.", "answr: Answer 3."))
    with pytest.raises(TaxonomyReadingException, match=r"rhymes/qna\.yaml:\d+"):
        go(stub)


def test_nothing_new_in_a_taxonomy_is_an_error(made, stub):
    from document_repositories import repository

    repository(made / "taxonomy", {})
    with pytest.raises(GenerateException, match="No new leaf nodes"):
        go(stub, taxonomy_base="main")


def test_a_set_of_pipelines_of_the_users_own_with_a_custom_block(made, stub, monkeypatch):
    monkeypatch.setattr(BlockRegistry, "_types", dict(BlockRegistry.get_registry()))
    seen = []

    @BlockRegistry.register("MarkBlock")
    class MarkBlock(Block):
        def generate(self, samples):
            seen.append((self.ctx.client, self.ctx.batch_size))
            return samples.map(lambda row: {"output": row["output"] + " Marked."})

    folder = made / "data" / "instructlab" / "sdg" / "pipelines" / "mine"
    folder.mkdir(parents=True)
    for kind in ("knowledge", "freeform_skills", "grounded_skills"):
        pipeline = Pipeline.from_file(None, f"pipelines/simple/{kind}.yaml")
        mark = {"name": "mark", "type": "MarkBlock", "config": {}}
        content = {"version": "1.0", "blocks": [*pipeline.chained_blocks, mark]}
        config = content["blocks"][0]["config"]
        config["config_path"] = config["config_path"].removeprefix("../")
        (folder / f"{kind}.yaml").write_text(yaml.safe_dump(content))
    client = client_of(stub)
    date = go(stub, pipeline="mine", client=client, batch_size=3)
    rows = jlload(made / "out" / f"generated_{date}" / f"{BIRDS}.jsonl")
    assert all(row["output"].endswith(" Marked.") for row in rows)
    assert seen
    assert all(client_ is client and size == 3 for client_, size in seen)
