"""The parameters of a run: everything that is wrong with them is told before anything is sent."""

from __future__ import annotations

import json

import pytest

from kfp_sdg.cli.compiling import CompileOrder
from kfp_sdg.cli.pipeline_file import PipelineSource
from kfp_sdg.cluster.migrate import migrate
from kfp_sdg.cluster.migrate.write import parameter_file
from kfp_sdg.cluster.submit import Given, check_parameters, package_of, read_parameter_file
from kfp_sdg.cluster.submit.package import Package, RootInput
from kfp_sdg.cluster.submit.rows import rows_as_parameter
from kfp_sdg.compiler import PodOptions, TeacherSource
from kfp_sdg.errors import Position, SpecError, StorageError

TYPES = {
    "text": "STRING",
    "count": "NUMBER_INTEGER",
    "share": "NUMBER_DOUBLE",
    "flag": "BOOLEAN",
    "things": "LIST",
    "options": "STRUCT",
}
PACKAGE = Package(
    name="demo",
    display_name="demo",
    version_name="demo-1",
    text="",
    inputs={name: RootInput(name, kind, required=False) for name, kind in TYPES.items()},
    tasks=(),
    outputs=(),
)


def typed(**texts):
    return {
        name: Given(text, Position(f"--param {name}"), typed=True) for name, text in texts.items()
    }


def test_what_is_typed_gets_the_type_of_the_parameter():
    given = typed(text="7", count="7", share="0.5", flag="TRUE", things="[1]", options='{"a": 1}')
    values, warnings = check_parameters(PACKAGE, given)
    assert values == {
        "text": "7",
        "count": 7,
        "share": 0.5,
        "flag": True,
        "things": [1],
        "options": {"a": 1},
    }
    assert warnings == ()


@pytest.mark.parametrize(
    ("name", "text"),
    [
        *(("count", "seven"), ("count", "1.5"), ("count", "true"), ("share", "half")),
        *(("flag", "yes"), ("flag", "1"), ("things", "a,b"), ("options", "[1]")),
        *(("share", "NaN"), ("share", "1e999"), ("things", "[Infinity]")),
        ("count", "9007199254740993"),
    ],
)
def test_what_cannot_be_of_its_type_is_an_error(name, text):
    with pytest.raises(
        SpecError, match=f"parameter '{name}' cannot be '{text}'".replace("[", r"\[")
    ):
        check_parameters(PACKAGE, typed(**{name: text}))


def test_a_file_has_types_of_its_own_which_have_to_fit(tmp_path):
    file = tmp_path / "params.yaml"
    file.write_text("text: 7\ncount: '7'\nflag: 1\nshare: 1\nthings: {}\noptions:\n")
    with pytest.raises(SpecError) as raised:
        check_parameters(PACKAGE, read_parameter_file(file))
    told = [(problem.where.line, problem.message) for problem in raised.value.problems]
    assert told == [
        (1, "parameter 'text' cannot be 7 without quotes; write \"…\" around it"),
        (2, "parameter 'count' cannot be '7'"),
        (3, "parameter 'flag' cannot be 1"),
        (5, "parameter 'things' cannot be {}"),
        (6, "parameter 'options' cannot be null"),
    ]


def test_a_mapping_for_a_text_is_written_as_json():
    """Our run forms have JSON in texts, such as teacher_endpoints."""
    given = {"text": Given({"big-model": "http://x/v1"}, Position("params.yaml", 1, 1))}
    values, _ = check_parameters(PACKAGE, given)
    assert json.loads(values["text"]) == {"big-model": "http://x/v1"}


def test_an_unknown_name_is_told_with_the_nearest():
    with pytest.raises(SpecError, match="did you mean 'count'") as raised:
        check_parameters(PACKAGE, typed(coutn="1", zzz="1"))
    assert "expected one of text, count" in str(raised.value)


def test_passwords_never_travel_as_parameters():
    with pytest.raises(SpecError, match="holds a password, which everybody could read"):
        check_parameters(PACKAGE, typed(text="https://me:secret@git.example.com/x"))
    inside = Given({"urls": ["http://me:secret@teacher/v1"]}, Position("params.yaml", 1, 1))
    with pytest.raises(SpecError, match="holds a password") as raised:
        check_parameters(PACKAGE, {"options": inside})
    assert "secret@" not in str(raised.value)
    package = Package(
        "d", "d", "d-1", "", {"api_key": RootInput("api_key", "STRING", required=False)}, (), ()
    )
    _, warnings = check_parameters(package, typed(api_key="sk-123"))
    assert "sounds like a credential" in warnings[0].message


def test_rows_that_are_here_travel_as_a_parameter_if_they_are_few(tmp_path):
    file = tmp_path / "rows.csv"
    file.write_text("q,n\nwhy?,007\n")
    name, given = rows_as_parameter(str(file))
    assert (name, json.loads(given.value)) == ("seed_samples", [{"q": "why?", "n": "007"}])
    assert rows_as_parameter("s3://bucket/rows.jsonl")[0] == "input_uri"


def test_too_many_rows_belong_into_an_object_store(tmp_path):
    file = tmp_path / "rows.jsonl"
    file.write_text('{"q": "' + "x" * 100 + '"}\n')
    many = tmp_path / "many.jsonl"
    many.write_text(file.read_text() * 1000)
    name, given = rows_as_parameter(str(many))
    inputs = {n: RootInput(n, "STRING", required=False) for n in ("seed_samples", "input_uri")}
    package = Package("d", "d", "d-1", "", inputs, (), ())
    with pytest.raises(SpecError, match="put the rows into an object store") as raised:
        check_parameters(package, {name: given})
    assert "at most 100,000 bytes" in str(raised.value)


@pytest.mark.parametrize("content", [None, "", "{\n"])
def test_rows_that_cannot_be_read_are_the_users_mistake(tmp_path, content):
    file = tmp_path / "rows.jsonl"
    if content is not None:
        file.write_text(content)
    with pytest.raises(StorageError) as raised:
        rows_as_parameter(str(file))
    assert raised.value.exit_code == 2


def compiled(pipeline):
    order = CompileOrder(
        pipeline=pipeline,
        source=PipelineSource(),
        name=None,
        description=None,
        pods=PodOptions(),
        teacher=TeacherSource(),
    )
    return package_of(order.compile()[0])


def test_a_pipeline_needs_rows_and_a_teacher():
    package = compiled("instructlab/simple/freeform_skills")
    with pytest.raises(SpecError) as raised:
        check_parameters(package, {})
    told = [problem.message for problem in raised.value.problems]
    assert "parameter 'teacher_url' has to be given, it has no default" in told
    assert "the pipeline has no rows to start from" in told
    both = typed(teacher_url="http://x/v1", input_uri="s3://b/x.jsonl", seed_samples="[]")
    with pytest.raises(SpecError, match="both 'input_uri' and 'seed_samples' name rows"):
        check_parameters(package, both)


def test_what_migrate_writes_is_what_submit_reads(tmp_path):
    theirs, ours = tmp_path / "pipeline_params.yaml", tmp_path / "params.yaml"
    theirs.write_text("sdg_repo_url: https://git.example.com/taxonomy.git\nsdg_scale_factor: 30\n")
    migration = migrate(theirs, teacher_url="http://teacher/v1", model_id="mixtral")
    ours.write_text(parameter_file(migration))
    values, _ = check_parameters(compiled("instructlab/full"), read_parameter_file(ours))
    assert values == migration.parameters
    assert values["num_instructions_to_generate"] == 30


def test_a_number_that_no_server_can_hold_is_an_error():
    with pytest.raises(SpecError, match="parameter 'share' cannot be its value"):
        check_parameters(PACKAGE, typed(share="1" * 400))
