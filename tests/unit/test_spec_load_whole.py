"""Loading whole pipelines: those that need a number, a text without a file, and real ones."""

from __future__ import annotations

import re
from importlib.resources import files
from pathlib import Path

import pytest

from kfp_sdg.spec import SpecError, load_pipeline, load_pipeline_text, require_num_instructions
from spec_helpers import ASK, ask, block, load, pipeline, place, where

SHARED = Path(__file__).parents[3] / "shared"


@pytest.mark.parametrize(
    "scaled",
    [
        ask(config="gen_kwargs: {n: scaled}\n"),
        block(
            "ask",
            "IterBlock",
            "num_iters: 2\nblock_type: LLMBlock\nconfig_path: prompt.yaml\noutput_cols: [q]\n"
            "gen_kwargs: {n: scaled}\n",
        ),
        ask(config="batch_kwargs: {num_samples: scaled}\n"),
    ],
)
def test_n_scaled_without_a_number_of_instructions_is_an_error_at_its_place(tmp_path, scaled):
    text = pipeline(scaled)
    key = "num_samples: scaled" if "num_samples" in text else "n: scaled"
    spec = load(tmp_path, text)
    require_num_instructions(spec, 30)
    for number in (None, 0):
        with pytest.raises(SpecError) as caught:
            require_num_instructions(spec, number)
        [problem] = caught.value.problems
        assert (problem.block, place(problem)) == ("ask", where(text, key))
        assert problem.suggestion == "run with --num-instructions N"


def test_a_pipeline_without_scaled_needs_no_number_of_instructions(tmp_path):
    spec = load(tmp_path, pipeline(ask(config="gen_kwargs: {n: 3}\n"), ask("b", "gen_kwargs:\n")))
    require_num_instructions(spec, None)


def test_a_text_is_loaded_as_if_it_stood_in_its_path(tmp_path):
    load(tmp_path, pipeline(ASK))  # writes the prompt config
    spec = load_pipeline_text(pipeline(ASK), path=tmp_path / "not_there.yaml")
    assert spec.name == "not_there"
    assert "prompt.yaml" in spec.files


@pytest.mark.shared
@pytest.mark.skipif(not SHARED.is_dir(), reason="no ../shared here")
def test_the_sample_of_the_seed_document_loads_byte_for_byte(tmp_path):
    document = (SHARED / "reference" / "seed.md").read_text(encoding="utf-8")
    [sample] = re.findall(r"```yaml\n(version:.*?)```", document, re.DOTALL)
    (tmp_path / "sample.yaml").write_text(sample, encoding="utf-8")
    spec = load_pipeline(tmp_path / "sample.yaml")
    assert [b.name for b in spec.blocks] == ["gen_questions", "filter_questions", "gen_responses"]
    assert spec.blocks[0].config["batch_kwargs"] == {"num_samples": 30}
    assert sorted(spec.files) == [
        "configs/skills/freeform_questions.yaml",
        "configs/skills/freeform_responses.yaml",
    ]
    assert spec.warnings == ()


@pytest.mark.parametrize(
    "path",
    sorted(Path(str(files("kfp_sdg.pipelines"))).glob("instructlab/[!c]*/*.yaml")),
    ids=lambda path: "/".join(path.parts[-2:]),
)
def test_every_shipped_pipeline_loads_without_a_warning(path):
    spec = load_pipeline(path)
    assert spec.blocks
    assert spec.warnings == ()
