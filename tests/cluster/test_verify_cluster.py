"""``make verify-cluster``, against a server that records what kubectl asks."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, Any

import pytest

from cluster.verify import main
from cluster_manifests import MANIFESTS, named, overlay
from kubectl import render
from recording_api_server import RecordingApiServer

if TYPE_CHECKING:
    from pathlib import Path

RBAC = "rbac.authorization.k8s.io/v1"
KFP = "pipelines.kubeflow.org/v2beta1"
ROLES = {(RBAC, "Role"): ("roles", True)}
KINDS = {
    **ROLES,
    (KFP, "Pipeline"): ("pipelines", True),
    (KFP, "PipelineVersion"): ("pipelineversions", True),
}


@pytest.fixture(autouse=True)
def home_of_its_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Kubectl keeps what it discovers in the home folder."""
    monkeypatch.setenv("HOME", str(tmp_path))


@pytest.fixture
def manifests(tmp_path: Path) -> Path:
    """Two folders of manifests: one of our pipelines and a role in a namespace, the role alone."""
    root = tmp_path / "manifests"
    for name in ("pipelines/examples/examples-annotation.yaml", "rbac/base/role.yaml"):
        for folder in ("overlay", "rights") if "rbac" in name else ("overlay",):
            (root / folder).mkdir(parents=True, exist_ok=True)
            shutil.copy(MANIFESTS / name, root / folder)
    for folder in ("overlay", "rights"):
        resources = sorted((root / folder).iterdir())
        overlay(root / folder, resources, namespace="kubeflow")
    return root


def verify(server: RecordingApiServer, manifests: Path, *more: str) -> int:
    kubeconfig = server.kubeconfig(manifests.parent)
    return main(["--kubeconfig", str(kubeconfig), *more], root=manifests)


def test_every_object_is_asked_for_once_in_a_strict_dry_run(
    kubectl: Path, manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingApiServer(KINDS) as server:
        assert verify(server, manifests) == 0
    applied = render(manifests / "overlay")
    assert {o["kind"] for o in applied} == {"Pipeline", "PipelineVersion", "Role"}
    assert sorted((o["kind"], o["metadata"]["name"]) for _, _, o in server.patches) == sorted(
        (o["kind"], o["metadata"]["name"]) for o in applied
    )
    for path, query, manifest in server.patches:
        assert path.endswith(f"/namespaces/kubeflow/{PLURAL[manifest['kind']]}/{_name(manifest)}")
        assert query["dryRun"] == ["All"]
        assert query["fieldValidation"] == ["Strict"]
    printed = capsys.readouterr().out
    assert "v1.33.0-recording" in printed
    assert printed.count("  accepted       Role/kfp-sdg-teacher in kubeflow\n") == 2
    assert "3 accepted, 0 REFUSED" in printed


PLURAL = {kind: plural for (_, kind), (plural, _) in KINDS.items()}


def _name(manifest: dict[str, Any]) -> str:
    return manifest["metadata"]["name"]


def test_what_the_server_refuses_fails_and_is_told_with_its_words(
    kubectl: Path, manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    word = 'strict decoding error: unknown field "rules[0].verb"'
    with RecordingApiServer(KINDS, refusals={"kfp-sdg-teacher": word}) as server:
        assert verify(server, manifests) == 1
    printed = capsys.readouterr().out
    refused = [line for line in printed.splitlines() if line.startswith("  REFUSED")]
    assert len(refused) == 2
    assert all(word in line for line in refused)
    assert "2 accepted, 1 REFUSED" in printed


def test_a_kind_that_is_not_installed_is_told_with_what_brings_it(
    kubectl: Path, manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingApiServer(ROLES) as server:
        assert verify(server, manifests) == 0
    missing = [line for line in capsys.readouterr().out.splitlines() if "not installed  " in line]
    assert len(missing) == 2
    assert all(f"no {KFP}; Kubeflow Pipelines 2.14 or newer" in line for line in missing)


def test_a_server_that_can_judge_nothing_is_no_success(kubectl: Path, manifests: Path) -> None:
    with RecordingApiServer({}) as server:
        assert verify(server, manifests, "--only", "rights") == 1


def test_what_a_dry_run_cannot_tell_is_no_failure(
    kubectl: Path, manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    [version] = named(render(manifests / "overlay"), "PipelineVersion")
    word = "The spec.pipelineName doesn't map to an existing Pipeline object"
    with RecordingApiServer(KINDS, refusals={version: word}) as server:
        assert verify(server, manifests) == 0
    printed = capsys.readouterr().out
    assert f"cannot tell    PipelineVersion/{version} in kubeflow: its Pipeline is not" in printed


def test_another_namespace_can_be_given_for_one_that_is_not_there(
    kubectl: Path, manifests: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with RecordingApiServer(KINDS, namespaces=frozenset({"team-a"})) as server:
        assert verify(server, manifests, "--only", "rights") == 1
        assert "there is no namespace kubeflow; make it, or give" in capsys.readouterr().out
        assert verify(server, manifests, "--only", "rights", "--namespace", "team-a") == 0


def test_a_kubeconfig_is_found_in_the_home_folder_and_among_several(
    kubectl: Path, manifests: Path, tmp_path: Path
) -> None:
    """As in the variable of that name, which make takes for its own."""
    with RecordingApiServer(KINDS) as server:
        written = server.kubeconfig(tmp_path).relative_to(tmp_path)
        for given in (f"~/{written}", f"{tmp_path}/none:~/{written}"):
            assert main(["--kubeconfig", given, "--only", "rights"], root=manifests) == 0


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (None, "there is no kubeconfig"),
        ("a: b: c", "no API server answers"),
        ("", "no API server answers"),
        (
            '{"apiVersion": "v1", "kind": "Config", "current-context": "x",'
            ' "clusters": [{"name": "x", "cluster": {"server": "http://127.0.0.1:9"}}],'
            ' "contexts": [{"name": "x", "context": {"cluster": "x", "user": ""}}]}',
            "127.0.0.1:9 was refused",
        ),
    ],
    ids=["none", "no YAML", "empty", "nobody there"],
)
def test_a_kubeconfig_of_no_use_is_told_in_one_line(
    kubectl: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    text: str | None,
    told: str,
) -> None:
    file = tmp_path / "mine"
    if text is not None:
        file.write_text(text, encoding="utf-8")
    assert main(["--kubeconfig", str(file)]) == 1
    printed = capsys.readouterr()
    assert printed.out == ""
    assert printed.err.startswith("verify-cluster: ")
    assert told in printed.err
    assert printed.err.count("\n") == 1
