"""kfp-sdg migrate: an InstructLab run on OpenShift AI becomes a run of ours."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

import pytest
import yaml

from kfp_sdg.cli.__main__ import main
from kfp_sdg.cluster.migrate import Fate, migrate
from kfp_sdg.cluster.migrate.ilab_parameters import FORMER_NAMES, PARAMETERS
from kfp_sdg.cluster.migrate.write import parameter_file, report
from kfp_sdg.compiler.shipped import compiled_file
from kfp_sdg.errors import SpecError

GOLDEN = Path(__file__).with_name("migrate")
TYPES = {"STRING": str, "NUMBER_INTEGER": int, "BOOLEAN": bool}
CONFIG = """\
version: 1.0.0
general: {log_level: INFO}
generate:
  chunk_word_count: 800
  model: /models/mixtral-8x7b
  num_cpus: 10
  output_dir: /data/datasets
  pipeline: simple
  sdg_scale_factor: 20
  taxonomy_base: origin/main
  taxonomy_path: /data/taxonomy
  teacher:
    llama_cpp: {max_ctx_size: 8192, llm_family: mixtral}
  sdg_scale: 3
"""


@pytest.fixture(scope="module")
def form():
    """The run form of the shipped workflow: the type of each parameter."""
    package = next(yaml.safe_load_all(compiled_file("instructlab").read_text()))
    parameters = package["root"]["inputDefinitions"]["parameters"]
    return {name: TYPES[entry["parameterType"]] for name, entry in parameters.items()}


def migrated(tmp_path, content, **settings):
    file = tmp_path / "theirs.yaml"
    file.write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return migrate(file, **settings)


def entry(migration, name):
    (found,) = [entry for entry in migration.entries if entry.name == name]
    return found


def test_the_golden_file_becomes_the_golden_parameters_and_report(monkeypatch):
    monkeypatch.chdir(GOLDEN)
    migration = migrate(Path("pipeline_params.yaml"), model_id="mistralai/Mixtral-8x7B")
    assert parameter_file(migration) == Path("params.yaml").read_text()
    assert report(migration, "params.yaml") == Path("report.txt").read_text()


def test_what_is_doubtful_is_told_with_its_line(monkeypatch):
    monkeypatch.chdir(GOLDEN)
    told = [str(warning) for warning in migrate(Path("pipeline_params.yaml")).warnings]
    for words in (
        ":13:1: 'sdg_num_workers' is 'many', which is not a whole number; 2 is taken",
        ":14:1: ilab-on-ocp's pipeline has no parameter 'sdg_scale_facter' "
        "(did you mean 'sdg_scale_factor'?)",
        ":15:1: 'train_nnodes' is the former name of 'train_num_workers'",
        ":16:1: no option of kfp-sdg compile can say this toleration: {'operator': 'Exists'}",
        ":28:1: 'final_eval_merge_system_user_message' is 'no', which is not true or false",
    ):
        assert any(words in line for line in told), words
    assert len(told) == 5


@pytest.mark.parametrize("file", ["pipeline_params.yaml", "config"])
def test_every_parameter_is_one_of_the_workflows_form_and_of_its_type(form, tmp_path, file):
    if file == "config":
        made = migrated(tmp_path, CONFIG)
    else:
        made = migrate(GOLDEN / file, teacher_url="http://t/v1", model_id="m")
    assert {setting.name for setting in made.settings} <= form.keys()
    assert {name: type(value) for name, value in made.parameters.items()} == {
        name: form[name] for name in made.parameters
    }


def test_the_parameter_file_is_a_mapping_and_leaves_out_what_is_to_decide(tmp_path):
    migration = migrated(tmp_path, {"sdg_base_model": "s3://m"})
    read = yaml.safe_load(parameter_file(migration))
    assert read == migration.parameters
    assert {"taxonomy_repo", "teacher_url", "model_id"}.isdisjoint(read)
    assert len(migration.decisions) == 4


def test_every_parameter_of_ilab_on_ocp_is_accounted_for_once(tmp_path):
    names = [entry.name for entry in migrated(tmp_path, {"sdg_scale_factor": 1}).entries]
    assert len(PARAMETERS) == 47
    assert sorted(names) == sorted(PARAMETERS)
    assert set(FORMER_NAMES.values()) <= PARAMETERS.keys()


def test_no_password_of_a_url_is_repeated(monkeypatch, capsys, tmp_path):
    out = tmp_path / "params.yaml"
    assert main(["migrate", str(GOLDEN / "pipeline_params.yaml"), "-o", str(out)]) == 0
    told = "".join(capsys.readouterr()) + out.read_text()
    assert "do-not-show-this" not in told
    assert "https://git.example.com/team/taxonomy.git" in told
    assert "The repository's URL holds a password" in told


def test_a_file_that_is_not_there_is_called_what_it_should_be(tmp_path):
    with pytest.raises(SpecError, match=r"there is no such parameter file$"):
        migrate(tmp_path / "params.yaml")


@pytest.mark.parametrize("login", ["user:do-not-show-this", "do-not-show-this"])
@pytest.mark.parametrize("scheme", ["https", "HTTPS", " http"])
def test_nothing_that_logs_in_is_repeated(tmp_path, scheme, login):
    url = f"{scheme}://{login}@git.example.com/team/taxonomy.git"
    made = migrated(tmp_path, {"sdg_repo_url": url})
    assert "do-not-show-this" not in report(made, "params.yaml") + parameter_file(made)
    assert "//git.example.com/team/taxonomy.git" in str(made.parameters["taxonomy_repo"])
    assert any("a password or a token" in decision.what for decision in made.decisions)


@pytest.mark.parametrize(
    ("given", "branch", "number", "decisions"),
    [
        ({}, "main", 0, 0),
        ({"sdg_repo_branch": ""}, "", 0, 0),
        ({"sdg_repo_branch": "", "sdg_repo_pr": 7.0}, "", 7, 0),
        ({"sdg_repo_pr": 7}, "main", 0, 1),
    ],
)
def test_branch_and_pull_request_mean_what_they_meant(tmp_path, given, branch, number, decisions):
    known = {"sdg_repo_url": "https://h/t.git", "sdg_pipeline": "full"}
    made = migrated(tmp_path, known | given, teacher_url="http://t/v1", model_id="m")
    assert made.parameters["taxonomy_branch"] == branch
    assert made.parameters["pull_request"] == number
    assert len(made.decisions) == decisions


@pytest.mark.parametrize(
    ("named", "compiled"),
    [
        ("simple", "instructlab/simple"),
        ("/usr/share/instructlab/sdg/pipelines/full", "instructlab/full"),
        (None, "PIPELINES_FOLDER"),
        ("/opt/own", "PIPELINES_FOLDER"),
    ],
)
def test_the_pipelines_are_chosen_by_the_command_that_compiles_them(tmp_path, named, compiled):
    made = migrated(tmp_path, {"sdg_repo_url": "https://h/t.git", "sdg_pipeline": named})
    (line,) = [c.line for c in made.commands if c.line.startswith("kfp-sdg compile")]
    assert shlex.split(line)[2] == compiled
    adapters = any("skill-classifier-v3-clm" in decision.how for decision in made.decisions)
    assert adapters is (named is None)


@pytest.mark.parametrize(
    ("repo", "scan"),
    [
        ("git@git.example.com:team/t.git", "ssh-keyscan git.example.com > known_hosts"),
        ("ssh://git@git.example.com:2222/t", "ssh-keyscan -p 2222 git.example.com > known_hosts"),
        ("https://git.example.com/t.git", None),
    ],
)
def test_a_repository_by_ssh_needs_the_hosts_key_too(tmp_path, repo, scan):
    lines = [c.line for c in migrated(tmp_path, {"sdg_repo_url": repo}).commands]
    assert (scan in lines) if scan else not any("known_hosts" in line for line in lines)


def test_tolerations_and_selectors_become_options_that_compile_takes(tmp_path):
    made = migrate(GOLDEN / "pipeline_params.yaml")
    (line,) = [c.line for c in made.commands if c.line.startswith("kfp-sdg compile")]
    words = shlex.split(line)
    words[words.index("-o") + 1] = str(tmp_path / "workflow.yaml")
    assert main(words[1:]) == 0
    text = (tmp_path / "workflow.yaml").read_text()
    assert "nvidia.com/gpu" in text
    assert "NoExecute" in text


def test_an_empty_name_of_a_secret_is_their_default(tmp_path):
    made = migrated(tmp_path, {"sdg_repo_secret": "", "sdg_teacher_secret": ""})
    assert made.parameters["git_secret"] == "taxonomy-repo-secret"
    assert made.parameters["teacher_secret"] == "teacher-secret"


def test_a_run_of_kfps_api_is_read_too(tmp_path):
    run = {"display_name": "r", "runtime_config": {"parameters": {"sdg_scale_factor": 12}}}
    made = migrated(tmp_path, json.dumps(run, indent=1))
    assert made.parameters["num_instructions_to_generate"] == 12
    assert entry(made, "sdg_scale_factor").where.line == 5


def test_the_section_generate_of_instructlabs_config_becomes_parameters(tmp_path):
    made = migrated(tmp_path, CONFIG, teacher_url="https://t/v1")
    assert made.parameters == {
        "taxonomy_base": "main",
        "teacher_url": "https://t/v1",
        "teacher_secret": "kfp-sdg-teacher",
        "model_family": "mixtral",
        "server_ctx_size": 8192,
        "num_instructions_to_generate": 20,
        "chunk_word_count": 800,
    }
    assert [setting.name for setting in made.settings if setting.value is None] == [
        "taxonomy_repo",
        "taxonomy_branch",
        "model_id",
    ]
    assert entry(made, "generate.num_cpus").fate is Fate.NO_COUNTERPART
    (warning,) = made.warnings
    assert ":14:3: the section generate has a key 'sdg_scale'" in str(warning)
    assert "kfp-sdg compile instructlab/simple" in " ".join(c.line for c in made.commands)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("a: 1\n", "no parameter file that can be migrated"),
        ("- a\n", "expected a mapping"),
        ("sdg_repo_url: [\n", "YAML"),
    ],
)
def test_other_files_are_refused(tmp_path, content, words):
    with pytest.raises(SpecError, match=words):
        migrated(tmp_path, content)


def test_the_command_prints_json_for_programs_and_tells_what_cannot_be_written(tmp_path, capsys):
    file = str(GOLDEN / "pipeline_params.yaml")
    assert main(["migrate", file, "--format", "json", "--teacher-url", "https://t"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["parameters"]["teacher_url"] == "https://t/v1"
    assert {entry["fate"] for entry in told["entries"]} == {fate.value for fate in Fate}
    assert len(told["warnings"]) == 5
    assert main(["migrate", file, "-o", str(tmp_path)]) == 2
    assert main(["migrate", str(tmp_path / "absent.yaml")]) == 2
    assert main(["migrate", file, "--teacher-url", "t"]) == 2


def test_the_name_of_the_parameter_file_is_quoted_in_commands(tmp_path, capsys):
    out = tmp_path / "my params.yaml"
    assert main(["migrate", str(GOLDEN / "pipeline_params.yaml"), "-o", str(out)]) == 0
    assert f"--params {shlex.quote(str(out))}" in capsys.readouterr().out


def test_the_file_itself_is_not_written_over(tmp_path, capsys):
    file = tmp_path / "config.yaml"
    file.write_text(CONFIG)
    assert main(["migrate", str(file), "-o", str(tmp_path / "." / "config.yaml")]) == 2
    assert "is what this command reads" in capsys.readouterr().err
    assert file.read_text() == CONFIG


def test_pipelines_of_another_machine_are_left_to_decide(tmp_path):
    content = CONFIG.replace("simple", "/usr/share/instructlab/sdg/pipelines/agentic")
    whats = [decision.what for decision in migrated(tmp_path, content).decisions]
    assert any("/pipelines/agentic" in what for what in whats)
    assert not any("pipelines" in d.what for d in migrated(tmp_path, CONFIG).decisions)
