"""The files that blocks refer to: found where InstructLab has them, and nowhere else."""

from __future__ import annotations

import pytest

from kfp_sdg.spec import SpecError, load_pipeline
from spec_helpers import PROMPT, block, load, only_problem, pipeline, place, problems, where


def ask(path: str, name: str = "ask") -> str:
    return block(name, config=f"config_path: {path}\noutput_cols: [q]\n")


def write(path, text=PROMPT):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def test_a_file_is_kept_under_the_path_as_written_with_its_places(tmp_path):
    write(tmp_path / "prompts" / "x.yaml")
    spec = load(tmp_path, pipeline(ask("./prompts/x.yaml")))
    file = spec.file("./prompts/x.yaml")
    assert file.path == "./prompts/x.yaml"
    assert file.content["system"] == "You are brief."
    assert file.source.at("generation").line == 5
    assert file.source.at("generation").file == str(tmp_path / "prompts" / "x.yaml")


@pytest.mark.parametrize(
    "path", ["configs/x.yaml", "../configs/x.yaml", "../../configs/a/x.yaml", "sub/x.yaml"]
)
def test_instructlabs_layouts_are_allowed(tmp_path, path):
    home = tmp_path / "pipelines" / "full"
    write(home / path)
    (home / "p.yaml").write_text(pipeline(ask(path)))
    assert load_pipeline(home / "p.yaml").files[path].content["system"] == "You are brief."


def test_a_path_is_looked_for_in_the_config_roots_and_then_in_what_ships(tmp_path):
    root = tmp_path / "elsewhere"
    write(root / "mine.yaml")
    home = tmp_path / "a" / "b" / "c"
    home.mkdir(parents=True)
    text = pipeline(ask("mine.yaml", "a"), ask("configs/skills/freeform_questions.yaml", "b"))
    (home / "p.yaml").write_text(text)
    spec = load_pipeline(home / "p.yaml", config_roots=[root])
    assert set(spec.files) == {"mine.yaml", "configs/skills/freeform_questions.yaml"}


def test_the_pipelines_own_folder_comes_before_what_ships(tmp_path):
    path = "configs/skills/freeform_questions.yaml"
    write(tmp_path / path)
    spec = load(tmp_path, pipeline(ask(path)))
    assert spec.files[path].content["system"] == "You are brief."


def test_a_missing_file_names_the_folders_and_the_nearest_name(tmp_path):
    text = pipeline(ask("promt.yaml"))
    problem = only_problem(tmp_path, text)
    assert (problem.code, problem.block) == ("missing-file", "ask")
    assert place(problem) == where(text, "config_path")
    assert str(tmp_path) in problem.expected
    assert problem.suggestion == "did you mean 'prompt.yaml'?"


@pytest.mark.parametrize(
    "path", ["../secret.yaml", "../../../../../../../etc/hostname", "/etc/hostname"]
)
def test_a_path_that_leads_out_is_refused_whether_the_file_exists_or_not(tmp_path, path):
    write(tmp_path / "secret.yaml")
    home = tmp_path / "home"
    home.mkdir()
    text = pipeline(ask(path))
    problem = only_problem(home, text)
    assert (problem.code, problem.block) == ("path-not-allowed", "ask")
    assert place(problem) == where(text, "config_path")
    assert "--config-root" in problem.suggestion


@pytest.mark.parametrize("link", ["link.yaml", "configs/x.yaml"])
def test_a_link_that_leads_out_is_refused(tmp_path, link):
    write(tmp_path / "secret" / "x.yaml")
    home = tmp_path / "home"
    home.mkdir()
    (home / "link.yaml").symlink_to(tmp_path / "secret" / "x.yaml")
    (home / "configs").symlink_to(tmp_path / "secret")
    assert only_problem(home, pipeline(ask(link))).code == "path-not-allowed"
    assert load(home, pipeline(ask(link)), config_roots=[tmp_path / "secret"]).files


def test_a_link_inside_the_folder_is_followed(tmp_path):
    # Kubernetes mounts a ConfigMap this way.
    write(tmp_path / "..2026" / "x.yaml")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "x.yaml").symlink_to("..data/x.yaml")
    assert load(tmp_path, pipeline(ask("x.yaml"))).files["x.yaml"]


@pytest.mark.parametrize("path", ["''", "'.'", r'"a\0b"', "'" + "x" * 5000 + "'"])
def test_a_path_that_cannot_be_one_is_an_error_like_any_other(tmp_path, path):
    assert only_problem(tmp_path, pipeline(ask(path))).block == "ask"


def test_a_loop_of_links_is_an_error_like_any_other(tmp_path):
    (tmp_path / "x.yaml").symlink_to(tmp_path / "x.yaml")
    assert only_problem(tmp_path, pipeline(ask("x.yaml"))).block == "ask"


@pytest.mark.parametrize(
    ("content", "code"), [("", "empty"), ("- a\n", "not-a-mapping"), ("a: 'b", "yaml-syntax")]
)
def test_a_broken_config_file_is_told_with_its_own_place_and_the_block(tmp_path, content, code):
    write(tmp_path / "broken.yaml", content)
    problem = only_problem(tmp_path, pipeline(ask("broken.yaml"), ask("broken.yaml", "again")))
    assert (problem.code, problem.block) == (code, "ask")
    assert problem.where.file == str(tmp_path / "broken.yaml")


def test_a_config_file_over_the_size_limit_is_refused(tmp_path):
    with (tmp_path / "big.yaml").open("wb") as file:
        file.truncate(100 * 1024 * 1024)
    assert only_problem(tmp_path, pipeline(ask("big.yaml"))).code == "too-large"


def test_the_paths_of_a_conditional_block_are_the_first_parts_of_its_pairs(tmp_path):
    config = "config_paths: [[prompt.yaml, a], [none.yaml, b]]\noutput_cols: [q]\n"
    text = pipeline(block("ask", "ConditionalLLMBlock", config + "selector_column_name: s\n"))
    problem = only_problem(tmp_path, text)
    assert (problem.code, place(problem)) == ("missing-file", where(text, "none.yaml"))
    (tmp_path / "none.yaml").write_text(PROMPT)
    assert set(load(tmp_path, text).files) == {"prompt.yaml", "none.yaml"}


def test_a_post_fix_changes_which_sample_files_are_loaded(tmp_path):
    write(tmp_path / "samples" / "poem_short.yaml", "seed: a poem\n")
    config = "config_paths: [samples/poem.yaml]\ncolumn_name: kind\n"
    text = pipeline(block("fill", "SamplePopulatorBlock", config + "post_fix: short\n"))
    spec = load(tmp_path, text)
    assert {path: file.content for path, file in spec.files.items()} == {
        "samples/poem_short.yaml": {"seed": "a poem"}
    }


def test_files_of_an_inner_block_and_of_custom_blocks_are_loaded(tmp_path):
    write(tmp_path / "a.yaml", "x: 1\n")
    write(tmp_path / "b.yaml", "x: 1\n")
    text = pipeline(
        block("mine", "Mine", "config_path: a.yaml\n"),
        block("many", "Mine", "config_paths: [a.yaml, [b.yaml, k]]\n"),
        block("again", "IterBlock", "num_iters: 2\nblock_type: Mine\nconfig_path: b.yaml\n"),
        block(
            "ask again",
            "IterBlock",
            "num_iters: 2\nblock_type: LLMBlock\nconfig_path: prompt.yaml\noutput_cols: [q]\n",
        ),
    )
    spec = load(tmp_path, text, custom_types=["Mine"])
    assert set(spec.files) == {"a.yaml", "b.yaml", "prompt.yaml"}


def test_problems_of_the_pipeline_come_before_those_of_its_files(tmp_path):
    write(tmp_path / "broken.yaml", "system: x\n")
    text = pipeline(ask("broken.yaml"), block("bad", "SetToMajorityValueBlock", "col_nam: a\n"))
    files = [problem.where.file for problem in problems(tmp_path, text)]
    assert files == [str(tmp_path / "p.yaml")] * 2 + [str(tmp_path / "broken.yaml")] * 4


def test_the_error_names_the_pipeline_as_the_user_wrote_it(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text(pipeline(ask("none.yaml")))
    with pytest.raises(SpecError, match=r"^p\.yaml:6:5: block 'ask': "):
        load_pipeline("p.yaml")
