"""The kustomize components that change shipped teachers: sources, adapters, scaling, platforms."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.manifests import yaml_text
from kfp_sdg.cluster.serving.llm_service import PROMETHEUS
from kfp_sdg.cluster.serving.openshift import RUNTIME_CHANGE
from kfp_sdg.cluster.serving.runtime import VLLM_USER
from kfp_sdg.cluster.serving.surroundings import (
    NAME,
    disruption_budget,
    ingress_with_a_token,
    service_monitor,
)
from kfp_sdg.cluster.serving.teacher import (
    MODE,
    Autoscaling,
    Teacher,
    adapter_arguments,
    adapter_volumes,
    autoscaling_change,
    user_context,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from kfp_sdg.cluster.manifests import Manifest
    from kfp_sdg.cluster.serving.adapters import Adapter

_WIDTH = 96
_MADE = "Written by make manifests."
_NAMESPACE = "sdg"
_SECRET_KEY = "api_token"  # noqa: S105 (the name of a key in a Secret)


def component_files(
    teachers: Iterable[Teacher], adapters: Mapping[str, tuple[Adapter, ...]]
) -> dict[str, str]:
    """Return the files of all components, by their paths in ``components``.

    Args:
        teachers: The shipped teachers; a component changes those of them that a kustomization has.
        adapters: The adapters of a teacher, by its name.
    """
    teachers = list(teachers)
    on_gpus = [teacher for teacher in teachers if teacher.gpus]
    made = {
        "oci": _sources(teachers, "oci://registry.example.com/models/{}:1"),
        "s3": _sources(teachers, "s3://models/{}", account="kfp-sdg-model-storage"),
        "pvc": _sources(teachers, "pvc://kfp-sdg-models/{}"),
        "hf": _sources(teachers, None, account="kfp-sdg-hugging-face"),
        "lora-adapters": _with_adapters(adapters),
        "keda": _keda(on_gpus),
        "api-key": _api_key(),
        "no-sidecar": _predictors(
            {
                "labels": {"sidecar.istio.io/inject": "false"},
                "annotations": {"sidecar.istio.io/inject": "false"},
            }
        ),
        "run-as-user": _predictors({"securityContext": user_context(VLLM_USER)}),
        "openshift-ai": _openshift_ai(),
        "raw-deployment": _Component(
            {},
            [
                _merge(
                    "InferenceService", "", {"metadata": {"annotations": {MODE: "RawDeployment"}}}
                )
            ],
        ),
        "monitoring": _Component({"service-monitor.yaml": [service_monitor()]}),
    }
    return {
        f"{name}/{path}": text
        for name, component in made.items()
        for path, text in component.files(_ABOUT[name]).items()
    }


_ABOUT = {
    "oci": "The models come as images (modelcars) from a registry: put yours here. Nodes "
    "keep them, so that a teacher that starts again does not fetch its model again.",
    "s3": "The models come from a bucket: put yours here. The Secret kfp-sdg-model-storage "
    "is yours to make; the README says what is in it.",
    "pvc": "The models lie on a volume claim: put yours here. It has to be readable from the "
    "GPU nodes, and with several replicas from several of them.",
    "hf": "The models come from the Hugging Face Hub with your token, which gated ones ask "
    "for. The Secret kfp-sdg-hugging-face, with HF_TOKEN in it, is yours to make.",
    "lora-adapters": "LAB's adapters, which InstructLab's agentic pipelines ask for by these "
    "names. They lie on the volume claim lab-adapters, a folder each.",
    "keda": "One to four replicas by what waits in line. Put your Prometheus and the "
    "namespace of the teachers here, and their names in the queries if you give them a prefix; "
    "the component monitoring brings the series into Prometheus.",
    "api-key": "Requests have to bring the key of the Secret kfp-sdg-teacher, the one that "
    "pipelines take theirs from.",
    "no-sidecar": "For profile namespaces of Kubeflow: pods of steps have no Istio sidecar, "
    "and one at the teacher would refuse them.",
    "run-as-user": "For clusters other than OpenShift, which gives every namespace a user of "
    "its own: vLLM's images name none, so they would start as root, and runAsNonRoot refuses "
    "that.",
    "openshift-ai": "The dashboard of OpenShift AI shows the teachers, and each call brings "
    "a token: that of a service account that may get the InferenceService. So whoever is in the "
    "project, and the cluster's router, may reach the port that asks for it.",
    "raw-deployment": "The older word for Standard mode. OpenShift AI before 3.4 knows no other, "
    "and would refuse every later change of a teacher, so that no run could start it; newer "
    "KServe takes it and writes Standard.",
    "monitoring": "Prometheus reads vLLM's series. OpenShift AI does that by itself.",
}


class _Component:
    """A kustomize component: what it adds and what it changes."""

    def __init__(
        self, resources: Mapping[str, list[Manifest]], patches: Iterable[Manifest] = ()
    ) -> None:
        """Keep both.

        Args:
            resources: Manifests by their files.
            patches: Entries of ``patches``.
        """
        self._resources = resources
        self._patches = list(patches)

    def files(self, about: str) -> dict[str, str]:
        """Return its files; what it is for stands at the top."""
        component: dict[str, Any] = {
            "apiVersion": "kustomize.config.k8s.io/v1alpha1",
            "kind": "Component",
        }
        if self._resources:
            component["resources"] = list(self._resources)
        if self._patches:
            component["patches"] = self._patches
        files = {"kustomization.yaml": yaml_text([component], header=_header(about))}
        made = {path: yaml_text(m, header=_MADE) for path, m in self._resources.items()}
        return files | made


def _header(about: str) -> str:
    """Return what stands above a file that is made by code."""
    return f"{textwrap.fill(about, _WIDTH)}\n{_MADE}"


def _target(kind: str, name: str = "") -> Manifest:
    """Return which objects a patch is for; where there is none, kustomize goes on."""
    target = {"group": "serving.kserve.io", "kind": kind}
    return {**target, "name": name} if name else target


def _edits(kind: str, name: str, *edits: Manifest) -> Manifest:
    """Return an entry of ``patches`` with edits as in RFC 6902."""
    return {"target": _target(kind, name), "patch": yaml_text([list(edits)])}


def _merge(kind: str, name: str, change: Manifest) -> Manifest:
    """Return an entry of ``patches`` with what is to be merged into objects."""
    api = "v1beta1" if kind == "InferenceService" else "v1alpha1"
    patch: Manifest = {"apiVersion": f"serving.kserve.io/{api}", "kind": kind, **change}
    patch["metadata"] = {"name": "any", **change.get("metadata", {})}
    return {"target": _target(kind, name), "patch": yaml_text([patch])}


def _predictors(change: Manifest) -> _Component:
    """Return the component that changes every predictor."""
    return _Component({}, [_merge("InferenceService", "", {"spec": {"predictor": change}})])


def _sources(teachers: list[Teacher], place: str | None, account: str = "") -> _Component:
    """Return the component that says where the models are.

    Args:
        teachers: The teachers.
        place: The URI, with ``{}`` for the model's name; None: as it is.
        account: The Secret that is needed to fetch them, given to a service account.
    """
    patches = []
    if place:
        for teacher in teachers:
            uri = place.format(teacher.model.rpartition("/")[2].lower())
            edit = {"op": "replace", "path": "/spec/predictor/model/storageUri", "value": uri}
            patches.append(_edits("InferenceService", teacher.name, edit))
    if not account:
        return _Component({}, patches)
    use = {"spec": {"predictor": {"serviceAccountName": NAME}}}
    patches.append(_merge("InferenceService", "", use))
    service_account = {
        "apiVersion": "v1",
        "kind": "ServiceAccount",
        "metadata": {"name": NAME},
        "automountServiceAccountToken": False,
        "secrets": [{"name": account}],
    }
    return _Component({"service-account.yaml": [service_account]}, patches)


def _with_adapters(adapters: Mapping[str, tuple[Adapter, ...]]) -> _Component:
    """Return the component that serves adapters from a volume claim beside their models."""
    patches = []
    for name, beside in adapters.items():
        volumes, mounts = adapter_volumes(beside)
        more = [
            {"op": "add", "path": "/spec/predictor/model/args/-", "value": argument}
            for argument in adapter_arguments(beside)
        ]
        places = [
            {"op": "add", "path": "/spec/predictor/volumes", "value": volumes},
            {"op": "add", "path": "/spec/predictor/model/volumeMounts", "value": mounts},
        ]
        patches.append(_edits("InferenceService", name, *more, *places))
    return _Component({}, patches)


def _keda(teachers: list[Teacher]) -> _Component:
    """Return the component that scales teachers on GPUs."""
    scaling = Autoscaling(most=4, prometheus=PROMETHEUS, namespace=_NAMESPACE)
    patches = [
        _merge("InferenceService", t.name, autoscaling_change(t.name, scaling)) for t in teachers
    ]
    budgets = [disruption_budget(teacher.name) for teacher in teachers]
    return _Component({"disruption-budgets.yaml": budgets}, patches)


def _api_key() -> _Component:
    """Return the component that lets vLLM ask for a key."""
    source = {"secretKeyRef": {"name": NAME, "key": _SECRET_KEY}}
    variable = {"name": "VLLM_API_KEY", "valueFrom": source}
    edit = {"op": "add", "path": "/spec/containers/0/env/-", "value": variable}
    return _Component({}, [_edits("ServingRuntime", "", edit)])


def _raw_deployment() -> _Component:
    """Return the component that says Standard mode in the word of KServe before 0.16."""
    change = {"metadata": {"annotations": {MODE: "RawDeployment"}}}
    return _Component({}, [_merge("InferenceService", "", change)])


def _openshift_ai() -> _Component:
    """Return the component that makes teachers and runtimes known to OpenShift AI's dashboard."""
    service = {
        "metadata": {
            "labels": {"opendatahub.io/dashboard": "true", "opendatahub.io/genai-asset": "true"},
            "annotations": {
                "opendatahub.io/model-type": "generative",
                "opendatahub.io/genai-use-case": "synthetic-data-generation",
                "security.opendatahub.io/enable-auth": "true",
            },
        }
    }
    patches = [
        _merge("InferenceService", "", service),
        _merge("ServingRuntime", "", RUNTIME_CHANGE),
        {
            "target": {"group": "networking.k8s.io", "kind": "NetworkPolicy", "name": NAME},
            "patch": yaml_text(
                [[{"op": "add", "path": "/spec/ingress/-", "value": ingress_with_a_token()}]]
            ),
        },
    ]
    return _Component({}, patches)
