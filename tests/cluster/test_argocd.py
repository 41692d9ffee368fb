"""What Argo CD would make of the manifests: in which order, and when it is content."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import yaml

from cluster.checks import read_manifests
from cluster_manifests import MANIFESTS, named, overlay, relative_to, render_of
from kfp_sdg import __version__
from kubectl import rendered_text

if TYPE_CHECKING:
    from pathlib import Path

OVERLAYS = MANIFESTS / "overlays"
ARGO = "argocd.argoproj.io"


def test_examples_for_argo_cd_lead_to_this_version_and_to_folders_that_are_there(
    kubectl: Path,
) -> None:
    applications = named(render_of(MANIFESTS / "argocd"), "Application")
    sets = named(render_of(MANIFESTS / "argocd"), "ApplicationSet")
    specs = [a["spec"] for a in applications.values()]
    specs += [s["spec"]["template"]["spec"] for s in sets.values()]
    assert len(specs) == 2
    for spec in specs:
        assert spec["source"]["targetRevision"] == f"v{__version__}"
        assert (MANIFESTS.parent / spec["source"]["path"] / "kustomization.yaml").exists()
        options = spec["syncPolicy"]["syncOptions"]
        assert {"ServerSideApply=true", "RespectIgnoreDifferences=true"} <= set(options)
        ignored = {(d["kind"], p) for d in spec["ignoreDifferences"] for p in d["jsonPointers"]}
        assert ("InferenceService", "/metadata/annotations/serving.kserve.io~1stop") in ignored


def test_argo_cd_makes_what_others_need_before_them_and_deletes_no_project_or_server(
    kubectl: Path, tmp_path: Path
) -> None:
    """Waves go by number; kinds without one are in wave 0."""
    project = OVERLAYS / "openshift-ai" / "project"
    server = OVERLAYS / "openshift-ai" / "components" / "pipeline-server"
    whole = overlay(tmp_path, [project], components=[relative_to(tmp_path, server)])
    waves: dict[str, set[int]] = {}
    for o in read_manifests(rendered_text(whole)):
        notes = o["metadata"].get("annotations", {})
        waves.setdefault(o["kind"], set()).add(int(notes.get(f"{ARGO}/sync-wave", 0)))
        if o["kind"] in ("Namespace", "DataSciencePipelinesApplication"):
            assert {"Prune=false", "Delete=false"} <= set(notes[f"{ARGO}/sync-options"].split(","))
    order = ["Namespace", "DataSciencePipelinesApplication", "Pipeline", "PipelineVersion"]
    assert all(len(waves[kind]) == 1 for kind in order)
    first_to_last = [min(waves[kind]) for kind in order]
    assert first_to_last == sorted(set(first_to_last))
    assert min(waves["Namespace"]) == min(wave for each in waves.values() for wave in each)


@pytest.mark.parametrize("name", ["kubeflow", "openshift-ai/project"])
def test_what_argo_cd_does_not_prune_leaves_no_application_out_of_sync(
    kubectl: Path, name: str
) -> None:
    kept = 0
    for o in render_of(OVERLAYS / name):
        notes = o["metadata"].get("annotations", {})
        if "Prune=false" in notes.get(f"{ARGO}/sync-options", ""):
            assert notes[f"{ARGO}/compare-options"] == "IgnoreExtraneous"
            kept += 1
    assert kept >= 24


def test_teachers_of_openshift_ai_say_their_mode_in_the_word_that_every_version_knows(
    kubectl: Path,
) -> None:
    mode = "serving.kserve.io/deploymentMode"
    for service in named(render_of(OVERLAYS / "openshift-ai/project"), "InferenceService").values():
        assert service["metadata"]["annotations"][mode] == "RawDeployment"
    application = named(render_of(MANIFESTS / "argocd"), "Application")["kfp-sdg"]
    ignored = [p for d in application["spec"]["ignoreDifferences"] for p in d["jsonPointers"]]
    assert f"/metadata/annotations/{mode.replace('/', '~1')}" in ignored


def test_argo_cd_is_told_the_same_of_stopped_teachers_everywhere() -> None:
    """Its own check calls them suspended, and a sync with waves would wait for them for ever."""
    health = MANIFESTS / "argocd" / "health"
    plain = yaml.safe_load((health / "argocd-cm.yaml").read_text(encoding="utf-8"))
    openshift = yaml.safe_load((health / "openshift-gitops.yaml").read_text(encoding="utf-8"))
    [(key, script)] = plain["data"].items()
    assert key == "resource.customizations.health.serving.kserve.io_InferenceService"
    assert openshift["spec"]["resourceHealthChecks"] == [
        {"group": "serving.kserve.io", "kind": "InferenceService", "check": script}
    ]
    stopped = script.index('condition.type == "Stopped" and condition.status == "True"')
    assert script.index('return {status = "Healthy"') > stopped
