"""``generate_data`` and its steps: from a taxonomy of four leaves to training data."""

from __future__ import annotations

import inspect
import json
import logging
import signal
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from datasets import Dataset
from instructlab.schema.taxonomy import TaxonomyReadingException

from dropin_helpers import client_of
from instructlab.sdg import (
    BlockRegistry,
    GenerateException,
    Pipeline,
    PipelineBlockError,
    generate_data,
    mix_datasets,
)
from instructlab.sdg.blocks.block import Block
from instructlab.sdg.datamixing import DataMixer, Recipe
from instructlab.sdg.eval_data import generate_eval_task_data, mmlubench_pipe_init
from instructlab.sdg.generate_data import (
    generate_taxonomy,
    generate_taxonomy_eval,
    postprocess_taxonomy,
    preprocess_taxonomy,
)
from instructlab.sdg.pipeline import PipelineContext
from instructlab.sdg.utils.chunkers import DocumentChunker
from instructlab.sdg.utils.json import jldump, jlload
from instructlab.sdg.utils.taxonomy import (
    leaf_node_to_samples,
    read_taxonomy,
    read_taxonomy_leaf_nodes,
)
from kfp_sdg.engine import read_run
from signals import reset_signals
from stub_teacher import StubTeacher
from taxonomy_runs import LEAVES, taxonomy
from workflows import answer

if TYPE_CHECKING:
    from collections.abc import Iterator

SUFFIX = "2026-01-31T12_00_00"
BIRDS = "knowledge_science_birds"
SEEDS = 35
"""Three skills of ten seed examples, and one chunk with five."""


@pytest.fixture
def stub() -> Iterator[StubTeacher]:
    with StubTeacher(answer=answer) as stub:
        yield stub


@pytest.fixture
def made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a taxonomy, which is the current one."""
    for variable in ("XDG_DATA_HOME", "XDG_DATA_DIRS"):
        monkeypatch.setenv(variable, str(tmp_path / "data"))
    taxonomy(tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def go(stub: StubTeacher, output: str = "out", **settings: Any) -> str:
    """Generate from the taxonomy; return the date in the names."""
    known = {
        "client": client_of(stub),
        "model_family": "mixtral",
        "model_name": "stub-model",
        "taxonomy": "taxonomy",
        "taxonomy_base": "empty",
        "output_dir": output,
        "num_instructions_to_generate": 1,
    }
    generate_data(**{**known, **settings})
    [train] = sorted(Path(output).glob("train_*.jsonl"))[-1:]
    return train.stem.removeprefix("train_")


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


def contents(folder: Path, root: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes().replace(str(root).encode(), b"")
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not {"documents"} & set(path.parts) and "/run_" not in str(path)
    }


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
        named = [{**row, "leaf_node_path": leaf} for row in rows]
        jldump(named, made / "ck" / leaf / f"data_checkpoint_{'0' * 31}1.jsonl")
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


# -- reading a taxonomy -------------------------------------------------------------------------


def test_leaf_nodes_are_what_the_rag_commands_of_the_client_read(made):
    nodes = read_taxonomy_leaf_nodes("taxonomy", "empty", None, made / "docs")
    assert sorted(nodes) == [
        "compositional_skills->letters",
        "compositional_skills->mixed",
        "compositional_skills->rhymes",
        "knowledge->science->birds",
    ]
    birds = nodes["knowledge->science->birds"]
    assert len(birds) == 5
    assert [path.name for path in birds[0]["filepaths"]] == ["birds.md"]
    assert birds[0]["filepaths"][0].read_text().startswith("# Chickadees")
    assert birds[0]["filepaths"][0].rename(made / "moved.md").exists()
    assert birds[0]["questions_and_answers"][0] == {
        "question": "Question 1.1?",
        "answer": "Answer 1.1.",
    }
    assert birds[0]["context"] == "Context 1."
    letters = nodes["compositional_skills->letters"]
    assert letters[0]["instruction"] == "On letters 1?"
    assert (letters[0]["input"], letters[0]["output"]) == ("Context 1.", "Answer 1.")
    assert "filepaths" not in letters[0]
    assert read_taxonomy("taxonomy", "empty", document_output_dir=made / "d2")[0].keys() == (
        letters[0].keys()
    )


def test_leaf_nodes_become_the_rows_that_preprocessing_writes(made):
    preprocess_taxonomy("taxonomy", made / "pre")
    nodes = read_taxonomy_leaf_nodes("taxonomy", "empty", None, made / "docs")
    for path, node in nodes.items():
        rows = leaf_node_to_samples(node, 4096, 1000, made, None)
        assert rows.to_list() == jlload(made / "pre" / f"{path.replace('->', '_')}.jsonl")


def test_documents_are_cut_into_pieces_within_the_limit(tmp_path):
    (tmp_path / "a.md").write_text("# One\n\n" + "word " * 300 + "\n\n# Two\n\n" + "more " * 300)
    (tmp_path / "b.TXT").write_text("a few words")
    paths = [tmp_path / "a.md", tmp_path / "b.TXT"]
    chunks = DocumentChunker(paths, tmp_path, "tokenizer", chunk_word_count=310).chunk_documents()
    assert len(chunks) == 3
    assert chunks[-1] == "a few words"
    with pytest.raises(ValueError, match="type that cannot be read"):
        DocumentChunker([tmp_path / "c.exe"], tmp_path)
    with pytest.raises(FileNotFoundError):
        DocumentChunker([], tmp_path)


def test_a_taxonomy_without_changes_has_no_leaf_nodes(made):
    from document_repositories import repository

    repository(made / "taxonomy", {})
    assert read_taxonomy_leaf_nodes("taxonomy", "main", None) == {}


def test_no_error_of_a_taxonomy_ends_the_process(made):
    file = made / "taxonomy" / "compositional_skills" / "rhymes" / "qna.yaml"
    file.write_text("version: 4\n")
    with pytest.raises(TaxonomyReadingException, match="version"):
        read_taxonomy("taxonomy", "empty")


# -- mixing -------------------------------------------------------------------------------------


def training_rows(count: int) -> list[dict[str, Any]]:
    said = [{"role": "user", "content": "Q?"}, {"role": "assistant", "content": "A."}]
    return [{"id": f"{n}", "messages": said, "metadata": "{}", "unmask": False}
            for n in range(count)]  # fmt: skip


def test_a_recipe_made_in_python_is_saved_read_and_mixed(tmp_path):
    jldump(training_rows(10), tmp_path / "data" / "a.jsonl")
    recipe = Recipe(sys_prompt="Be kind.")
    recipe.add_dataset("data/a.jsonl", 4)
    assert recipe.dataset_added
    recipe.save_recipe(tmp_path / "recipe.yaml")
    read = Recipe(tmp_path / "recipe.yaml", "Be brief.")
    assert read.datasets == [{"path": "data/a.jsonl", "sampling_size": 4}]
    assert not read.dataset_added
    read.save_mixed_dataset(tmp_path / "mixed.jsonl", 8)
    rows = jlload(tmp_path / "mixed.jsonl")
    assert len({row["id"] for row in rows}) == 4
    assert {row["messages"][0]["content"] for row in rows} == {"Be brief."}


def test_an_empty_recipe_is_not_mixed_and_a_missing_one_is_an_error(tmp_path):
    Recipe().save_recipe(tmp_path / "recipe.yaml")
    mix_datasets(str(tmp_path / "recipe.yaml"), str(tmp_path / "mixed.jsonl"))
    assert not (tmp_path / "mixed.jsonl").exists()
    with pytest.raises(GenerateException, match="absent"):
        mix_datasets(str(tmp_path / "absent.yaml"), str(tmp_path / "mixed.jsonl"))


def test_a_mixer_writes_what_post_processing_writes(made, stub):
    date = go(stub, pipeline="full", system_prompt="Be kind.")
    generated = made / "out" / f"generated_{date}"
    auxiliary = Pipeline.from_file(None, "pipelines/full/knowledge.yaml").auxiliary_inst
    mixer = DataMixer([], made / "mixer", date, "Be kind.", 8, auxiliary)
    for leaf in LEAVES:
        rows = Dataset.from_list(jlload(generated / f"{leaf}.jsonl"))
        mixer.collect(leaf, rows, leaf == BIRDS, False)
    mixer.generate()
    assert DataMixer.NUM_SYNTH_SKILLS == 30
    of_mixer = contents(made / "mixer", made / "mixer")
    of_run = contents(made / "out", made / "out")
    assert len(of_mixer) >= 9
    assert of_mixer == {name: of_run[name] for name in of_mixer}


def test_questions_to_test_with_by_hand(made, stub):
    preprocess_taxonomy("taxonomy", made / "pre")
    rows = Dataset.from_list(jlload(made / "pre" / f"{BIRDS}.jsonl"))
    context = PipelineContext(client_of(stub), "mixtral", "stub-model")
    generate_eval_task_data(mmlubench_pipe_init(context), BIRDS, rows, made / "eval", SUFFIX)
    questions = jlload(made / "eval" / f"node_datasets_{SUFFIX}" / f"mmlubench_{BIRDS}.jsonl")
    assert [row["answer"] for row in questions] == [
        "ABCD".index(row["mmlubench_answer"][0]) for row in questions
    ]
    assert questions


NEEDED = inspect.Parameter.empty
SIGNATURES = {
    generate_data: {
        "client": NEEDED,
        "logger": ...,
        "system_prompt": None,
        "use_legacy_pretraining_format": True,
        "model_family": None,
        "model_name": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "taxonomy": None,
        "taxonomy_base": None,
        "output_dir": None,
        "console_output": True,
        "yaml_rules": None,
        "chunk_word_count": None,
        "server_ctx_size": None,
        "pipeline": "simple",
        "batch_size": None,
        "checkpoint_dir": None,
        "max_num_tokens": 4096,
    },
    preprocess_taxonomy: {
        "taxonomy_dir": NEEDED,
        "output_dir": NEEDED,
        "chunk_word_count": 1000,
        "server_ctx_size": 4096,
        "taxonomy_base": "empty",
        "teacher_model_path": None,
        "yaml_rules": None,
        "test_output_file": None,
        "system_prompt": None,
    },
    generate_taxonomy: {
        "client": NEEDED,
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "logger": ...,
        "model_family": None,
        "model_id": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "console_output": True,
        "pipeline": "simple",
        "batch_size": None,
        "checkpoint_dir": None,
        "max_num_tokens": 4096,
    },
    generate_taxonomy_eval: {
        "client": NEEDED,
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "model_family": None,
        "model_id": None,
        "num_cpus": None,
        "num_instructions_to_generate": 30,
        "batch_size": None,
        "max_num_tokens": 4096,
    },
    postprocess_taxonomy: {
        "input_dir": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "pipeline": "simple",
        "num_procs": 8,
        "system_prompt": ...,
        "use_legacy_pretraining_format": True,
    },
    mix_datasets: {
        "recipe_file": NEEDED,
        "output_file": NEEDED,
        "num_proc": 8,
        "system_prompt": None,
    },
    Recipe: {"recipe_path": None, "sys_prompt": ""},
    Recipe.add_dataset: {"self": NEEDED, "path": NEEDED, "sampling_size": NEEDED},
    Recipe.save_recipe: {"self": NEEDED, "output_path": NEEDED},
    DataMixer: {
        "data_dirs": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
        "sys_prompt": NEEDED,
        "num_procs": NEEDED,
        "auxiliary_inst": None,
    },
    read_taxonomy: {
        "taxonomy": NEEDED,
        "taxonomy_base": NEEDED,
        "yaml_rules": None,
        "document_output_dir": None,
    },
    read_taxonomy_leaf_nodes: {
        "taxonomy": NEEDED,
        "taxonomy_base": NEEDED,
        "yaml_rules": NEEDED,
        "document_output_dir": None,
    },
    generate_eval_task_data: {
        "mmlubench_pipe": NEEDED,
        "task_name": NEEDED,
        "samples": NEEDED,
        "output_dir": NEEDED,
        "date_suffix": NEEDED,
    },
    mmlubench_pipe_init: {"ctx": NEEDED},
}


@pytest.mark.parametrize("function", SIGNATURES, ids=lambda function: function.__qualname__)
def test_a_signature_is_instructlabs(function):
    parameters = inspect.signature(function).parameters
    wanted = SIGNATURES[function]
    assert list(parameters) == list(wanted)
    for name, default in wanted.items():
        assert default is ... or parameters[name].default == default
