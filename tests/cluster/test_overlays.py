"""Every folder of manifests: rendered by kustomize, and held against what a cluster would say."""

from __future__ import annotations

import json
import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from google.protobuf.json_format import ParseDict
from kfp.pipeline_spec.pipeline_spec_pb2 import PipelineSpec

from cluster.checks import all_findings, cluster_scoped, needs_crds, read_manifests
from cluster_manifests import (
    MANIFESTS,
    components,
    kustomizations,
    named,
    overlay,
    relative_to,
    render_of,
    text_of,
)
from kfp_sdg.cluster.images import ImageRole, read_lock
from kfp_sdg.cluster.images.find import find_images
from kfp_sdg.images import LOCK_FILE
from kubectl import rendered_text

if TYPE_CHECKING:
    from pathlib import Path

OVERLAYS = MANIFESTS / "overlays"
NAMESPACES = {
    "overlays/standalone": {"kubeflow"},
    "overlays/kubeflow": {"kubeflow-user-example-com"},
    "overlays/openshift-ai": {"sdg", "redhat-ods-applications"},
    "overlays/openshift-ai/platform": {"redhat-ods-applications"},
    "overlays/openshift-ai/project": {"sdg"},
    "overlays/disconnected": {"sdg"},
    "overlays/disconnected/mirror": set(),
    "argocd": {"argocd"},
}
"""The namespaces of what is applied as it is; bases leave theirs to overlays."""

NEEDS = {
    "overlays/openshift-ai/components/managed-pipelines": [
        "teacher",
        "overlays/openshift-ai/components/pipeline-server",
    ],
    "pipelines/tags": ["pipelines/examples"],
}
"""What a component is tried on, if not on the teacher, and components that come before it."""

WITH_A_USER = {
    "overlays/kubeflow",
    "overlays/standalone",
    "teacher/components/run-as-user",
}
"""What is for clusters that give namespaces no user of their own, as OpenShift does."""

IN_NO_NAMESPACE = {
    "Namespace/sdg",
    "ImageDigestMirrorSet/kfp-sdg",
    "ImageTagMirrorSet/kfp-sdg",
}
CREDENTIALS = re.compile(
    r"hf_[A-Za-z0-9]{20,}|sk-[A-Za-z0-9]{16,}|AKIA[A-Z0-9]{16}|eyJ[A-Za-z0-9_-]{20,}|-----BEGIN|"
    r"""(?i:password|secret_?access_?key|api_?token|api_?key)['"]?: *['"]?[A-Za-z0-9+/=_-]{8,}"""
)


def folder_id(folder: Path) -> str:
    return folder.relative_to(MANIFESTS).as_posix()


every_folder = pytest.mark.parametrize("folder", kustomizations(), ids=folder_id)


@pytest.mark.shared
@needs_crds
@every_folder
def test_a_cluster_would_take_every_object_of_every_folder(kubectl: Path, folder: Path) -> None:
    runtimes = render_of(MANIFESTS / "teacher" / "runtime")
    with_a_user = folder_id(folder) in WITH_A_USER
    findings = all_findings(render_of(folder), runtimes, fixed_user=with_a_user)
    assert [str(finding) for finding in findings] == []


@pytest.mark.shared
@needs_crds
@pytest.mark.parametrize("component", components(), ids=folder_id)
def test_a_cluster_would_take_what_every_component_makes(
    kubectl: Path, tmp_path: Path, component: Path
) -> None:
    name = folder_id(component)
    base, *before = NEEDS.get(name, ["teacher"])
    without = render_with(tmp_path / "without", base, *before)
    changed = render_with(tmp_path / "with", base, *before, name)
    findings = all_findings(changed, fixed_user=name in WITH_A_USER)
    assert [str(finding) for finding in findings] == []
    assert changed != without


def render_with(folder: Path, base: str, *added: str) -> list[dict[str, Any]]:
    folder.mkdir()
    paths = [relative_to(folder, MANIFESTS / name) for name in added]
    return read_manifests(rendered_text(overlay(folder, [MANIFESTS / base], components=paths)))


def test_every_overlay_is_named_here() -> None:
    applied = {folder_id(f) for f in kustomizations()} - {
        name
        for name in map(folder_id, kustomizations())
        if name.startswith(("pipelines", "rbac", "teacher"))
    }
    assert applied == set(NAMESPACES)


@pytest.mark.parametrize(("name", "namespaces"), NAMESPACES.items(), ids=NAMESPACES)
def test_everything_of_an_overlay_is_in_its_namespaces(
    kubectl: Path, name: str, namespaces: set[str]
) -> None:
    objects = render_of(MANIFESTS / name)
    free = {f"{o['kind']}/{o['metadata']['name']}" for o in objects if not _namespace(o)}
    assert {_namespace(o) for o in objects} - {None} == namespaces
    assert free <= IN_NO_NAMESPACE
    assert free == set(cluster_scoped(objects))


def _namespace(o: dict[str, Any]) -> str | None:
    return o["metadata"].get("namespace")


@every_folder
def test_every_image_of_every_render_is_in_the_lock(kubectl: Path, folder: Path) -> None:
    locked = {(i.reference.path, i.reference.tag, i.reference.digest) for i in read_lock(LOCK_FILE)}
    for named_image in find_images(text_of(folder), "render.yaml"):
        if named_image.naming.value == "model":
            continue
        name = named_image.text.partition("/")[2]
        path, _, digest = name.partition("@")
        path, _, tag = path.partition(":")
        assert any(
            path == p and tag in ("", t) and digest in ("", d) and (tag or digest)
            for p, t, d in locked
        ), named_image.text


@every_folder
def test_no_render_holds_a_credential(kubectl: Path, folder: Path) -> None:
    found = [line for line in text_of(folder).splitlines() if CREDENTIALS.search(line)]
    assert found == []


@pytest.mark.parametrize("name", [n for n in NAMESPACES if "disconnected" in n], ids=str)
def test_a_disconnected_cluster_is_sent_to_no_public_registry(kubectl: Path, name: str) -> None:
    public = {image.reference.registry for image in read_lock(LOCK_FILE)}
    text = re.sub("source: .*", "", text_of(MANIFESTS / name))
    for image in find_images(text, "render.yaml"):
        assert image.text.partition("/")[0] not in public, image.text


def test_images_with_a_digest_are_named_by_it_in_a_disconnected_cluster(kubectl: Path) -> None:
    text = (OVERLAYS / "disconnected" / "images" / "kustomization.yaml").read_text("utf-8")
    pinned = {entry["name"]: entry.get("digest") for entry in yaml.safe_load(text)["images"]}
    for image in read_lock(LOCK_FILE):
        if image.reference.repository in pinned:
            assert pinned[image.reference.repository] == image.reference.digest


@pytest.mark.parametrize("platform", ["openshift-ai/project", "kubeflow", "standalone"])
def test_a_disconnected_overlay_of_each_platform_takes_another_namespace(
    kubectl: Path, tmp_path: Path, platform: str
) -> None:
    shutil.copytree(MANIFESTS, tmp_path / "manifests")
    folder = tmp_path / "manifests" / "overlays" / "disconnected"
    file = folder / "kustomization.yaml"
    text = file.read_text(encoding="utf-8")
    for old, new in (
        ("namespace: sdg", "namespace: team-a"),
        ("- ../openshift-ai/project", f"- ../{platform}"),
    ):
        assert text.count(old) == 1
        text = text.replace(old, new)
    file.write_text(text, encoding="utf-8")
    objects = read_manifests(rendered_text(folder))
    assert {_namespace(o) for o in objects} - {None} == {"team-a"}
    assert named(objects, "InferenceService")
    for secret in named(objects, "Secret").values():
        assert ".team-a.svc." in secret["stringData"]["endpoint"]


def test_openshifts_nodes_find_every_image_at_the_mirror_by_the_name_that_it_has(
    kubectl: Path,
) -> None:
    objects = render_of(OVERLAYS / "disconnected" / "mirror")
    by_digest = named(objects, "ImageDigestMirrorSet")["kfp-sdg"]["spec"]["imageDigestMirrors"]
    by_tag = named(objects, "ImageTagMirrorSet")["kfp-sdg"]["spec"]["imageTagMirrors"]
    for image in read_lock(LOCK_FILE):
        entries = by_digest if image.reference.digest else by_tag
        found = [entry for entry in entries if entry["source"] == image.reference.repository]
        assert bool(found) == (image.role is not ImageRole.BASE)


def test_a_disconnected_teacher_asks_no_hub(kubectl: Path) -> None:
    objects = render_of(OVERLAYS / "disconnected")
    for runtime in named(objects, "ServingRuntime").values():
        [container] = runtime["spec"]["containers"]
        assert {"name": "HF_HUB_OFFLINE", "value": "1"} in container["env"]
    for service in named(objects, "InferenceService").values():
        uri = service["spec"]["predictor"]["model"]["storageUri"]
        assert uri.startswith("oci://registry.example.com/")


def test_versions_with_other_images_have_names_of_their_own(kubectl: Path) -> None:
    usual = named(render_of(OVERLAYS / "openshift-ai" / "project"), "PipelineVersion")
    mirrored = named(render_of(OVERLAYS / "disconnected"), "PipelineVersion")
    assert len(usual) == len(mirrored)
    assert not set(usual) & set(mirrored)


@pytest.mark.parametrize("name", [n for n in NAMESPACES if n.startswith("overlays")], ids=str)
def test_kfp_reads_the_pipelines_of_every_overlay(kubectl: Path, name: str) -> None:
    objects = render_of(MANIFESTS / name)
    for version in named(objects, "PipelineVersion").values():
        assert version["spec"]["pipelineName"] in named(objects, "Pipeline")
        spec = ParseDict(version["spec"]["pipelineSpec"], PipelineSpec())
        assert spec.pipeline_info.name


@pytest.mark.parametrize("name", [n for n in NAMESPACES if n.startswith("overlays")], ids=str)
def test_kubectl_applies_every_pipeline_before_its_versions(kubectl: Path, name: str) -> None:
    there = set()
    for o in render_of(MANIFESTS / name):
        if o["kind"] == "Pipeline":
            there.add(o["metadata"]["name"])
        elif o["kind"] == "PipelineVersion":
            assert o["spec"]["pipelineName"] in there


@pytest.mark.parametrize(
    "name", ["overlays/standalone", "overlays/kubeflow", "overlays/openshift-ai/project"]
)
def test_the_teacher_that_a_run_starts_is_there_and_may_be_started(
    kubectl: Path, name: str
) -> None:
    objects = render_of(MANIFESTS / name)
    named_teachers = {
        parameters["inference_service"]["defaultValue"]
        for version in named(objects, "PipelineVersion").values()
        if "inference_service" in (parameters := _run_form(version))
    }
    assert named_teachers
    assert named_teachers <= set(named(objects, "InferenceService"))
    role = named(objects, "Role")["kfp-sdg-teacher"]
    assert role["rules"] == [
        {
            "apiGroups": ["serving.kserve.io"],
            "resources": ["inferenceservices"],
            "resourceNames": role["rules"][0]["resourceNames"],
            "verbs": ["get", "patch"],
        }
    ]
    assert set(role["rules"][0]["resourceNames"]) == set(named(objects, "InferenceService"))


def _run_form(version: dict[str, Any]) -> dict[str, Any]:
    root = version["spec"]["pipelineSpec"]["root"]
    return root["inputDefinitions"]["parameters"]


def test_a_prefix_for_a_teacher_reaches_the_rights_to_start_it(
    kubectl: Path, tmp_path: Path
) -> None:
    text = rendered_text(overlay(tmp_path, [OVERLAYS / "standalone"], namePrefix="acme-"))
    objects = read_manifests(text)
    [role] = named(objects, "Role").values()
    teachers = named(objects, "InferenceService")
    assert all(name.startswith("acme-") for name in teachers)
    assert set(role["rules"][0]["resourceNames"]) == set(teachers)


def test_the_readme_names_folders_that_are_there() -> None:
    text = (MANIFESTS / "README.md").read_text(encoding="utf-8")
    paths = re.findall(r"(?<=-k )manifests/\S+|(?<=cd )manifests/\S+|(?<=patch-file )\S+", text)
    assert len(paths) > 6
    assert [path for path in paths if not (MANIFESTS.parent / path.rstrip("`")).exists()] == []
    links = re.findall(r"\]\(([^)#]+)\)", text)
    assert [link for link in links if not (MANIFESTS / link).exists()] == []


@pytest.mark.parametrize("may_make_projects", [True, False])
def test_a_project_of_another_name_is_whole(
    kubectl: Path, tmp_path: Path, may_make_projects: bool
) -> None:
    project = OVERLAYS / "openshift-ai" / "project"
    renamed = tmp_path / "overlays" / "openshift-ai" / "project"
    renamed.mkdir(parents=True)
    for file in project.iterdir():
        text = file.read_text(encoding="utf-8").replace("namespace: sdg", "namespace: team-a")
        if not may_make_projects:
            text = re.sub("  - namespace.yaml.*\n", "", text)
        up = relative_to(renamed, MANIFESTS)
        (renamed / file.name).write_text(text.replace("../../../", f"{up}/"), encoding="utf-8")
    objects = read_manifests(rendered_text(renamed))
    namespaced = [o for o in objects if o["kind"] != "Namespace"]
    assert {o["metadata"]["namespace"] for o in namespaced} == {"team-a"}
    assert list(named(objects, "Namespace")) == (["team-a"] if may_make_projects else [])
    endpoint = named(objects, "Secret")["kfp-sdg-teacher"]["stringData"]["endpoint"]
    assert endpoint.split(".")[1] == "team-a"


def test_the_connection_types_form_writes_a_secret_that_pipelines_read(kubectl: Path) -> None:
    form = named(render_of(OVERLAYS / "openshift-ai" / "platform"), "ConfigMap")["sdg-teacher-v1"]
    fields = {field["envVar"]: field for field in json.loads(form["data"]["fields"])}
    assert json.loads(form["data"]["category"]) == ["Model serving"]
    assert set(fields) == {"endpoint", "model_name", "api_token"}
    assert fields["api_token"]["type"] == "hidden"
    secret = named(render_of(OVERLAYS / "openshift-ai" / "project"), "Secret")["kfp-sdg-teacher"]
    required = {name for name, field in fields.items() if field["required"]}
    assert set(secret["stringData"]) == required
    reference = secret["metadata"]["annotations"]["opendatahub.io/connection-type-ref"]
    assert reference == form["metadata"]["name"]
    model = secret["stringData"]["model_name"]
    services = named(render_of(OVERLAYS / "openshift-ai" / "project"), "InferenceService")
    assert model in services
    assert secret["stringData"]["endpoint"].startswith(f"https://{model}-predictor.")
