"""What a pipeline's service account may do with InferenceServices, by our Role and by others."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml

from fake_kubernetes_calls import GROUP, Call, allows

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

ROLE = Path(__file__).parents[1] / "manifests/rbac/base/role.yaml"

SHIPPED: Sequence[Mapping[str, Any]] = yaml.safe_load(ROLE.read_text())["rules"]
"""The rules of our Role, the only rights that a pipeline has where KFP is installed alone."""

TEACHERS: Sequence[str] = SHIPPED[0]["resourceNames"]

PIPELINE_SERVER: Sequence[Mapping[str, Any]] = (
    {
        "apiGroups": [GROUP],
        "resources": ["inferenceservices"],
        "verbs": ["create", "get", "list", "patch", "delete"],
    },
)
"""Of OpenShift AI's Role ``pipeline-runner-<dspa>``, what it says of KServe
(opendatahub-io/data-science-pipelines-operator, config/internal/apiserver/default,
role_pipeline-runner.yaml.tmpl, at 5e01e73)."""


PROJECT_VIEWERS: Sequence[Mapping[str, Any]] = (
    {
        "apiGroups": ["datasciencepipelinesapplications.opendatahub.io"],
        "resources": ["datasciencepipelinesapplications"],
        "verbs": ["get", "list", "watch"],
    },
)
"""What everybody who may look at a project of OpenShift AI may do with its pipeline servers
(config/rbac/aggregate_dspa_role_view.yaml in the same place)."""


def calls_beyond_rights(calls: Sequence[Call]) -> list[Call]:
    """Return the calls that a pipeline may not make everywhere, nor whoever looks at a project.

    A list is asked for only where a service is not there, for the message about it. With our Role
    a service that it does not name is forbidden, not missing, so that no list is asked for.
    """
    beyond = []
    missing = False
    for call in calls:
        if any(allows(rule, call) for rule in PROJECT_VIEWERS):
            continue
        ours = replace(call, name=TEACHERS[0]) if call.name else call
        there = any(allows(rule, call) for rule in PIPELINE_SERVER)
        here = any(allows(rule, ours) for rule in SHIPPED) or (call.verb == "list" and missing)
        if not (here and there):
            beyond.append(call)
        missing = call.verb == "get" and call.status == 404
    return beyond
