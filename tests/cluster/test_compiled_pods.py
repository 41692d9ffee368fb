"""The pods of compiled pipelines under Pod Security "restricted", and what is in the packages."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

import pytest
import yaml

from cluster.checks import restricted_problems
from cluster.checks.core import core_problems
from compiling import YAML_LOADER
from kfp_pods import pods_of_package
from kfp_sdg.compiler import PodOptions, TeacherSource, compile_workflow
from kfp_sdg.compiler.pods import Toleration
from kfp_sdg.compiler.shipped import compiled_file, compiled_names
from kfp_sdg.instructlab.pipeline_set import find_pipelines

EVERYTHING = PodOptions(
    tolerations=(Toleration("batch", "sdg", "NoSchedule"), Toleration("gpu", None, "NoExecute")),
    node_selector={"pool": "cpu"},
    image_pull_secrets=("pulling",),
    labels={"team": "sdg"},
    annotations={"example.com/note": "any text"},
)


@lru_cache
def shipped_package(name: str) -> tuple[Any, Any]:
    """Return a shipped package and its platform's part."""
    package, platform = yaml.load_all(compiled_file(name).read_bytes(), YAML_LOADER)
    return package, platform


@pytest.mark.parametrize("name", compiled_names())
def test_every_task_may_run_where_pods_are_restricted(name: str) -> None:
    for pod in pods_of_package(*shipped_package(name)):
        assert list(restricted_problems(pod["spec"])) == [], pod["metadata"]["name"]


def test_a_task_that_may_run_as_root_would_be_found() -> None:
    compiled = compile_workflow(find_pipelines("simple"), pods=PodOptions(run_as_non_root=False))
    for pod in pods_of_package(*yaml.load_all(compiled.to_yaml(), YAML_LOADER)):
        assert [path for path, _ in restricted_problems(pod["spec"])] == [
            ".containers[0].securityContext.runAsNonRoot"
        ]


def test_what_options_say_about_pods_is_what_kubernetes_understands() -> None:
    service = TeacherSource(inference_service="teacher")
    compiled = compile_workflow(find_pipelines("simple"), pods=EVERYTHING, teacher=service)
    pods = list(pods_of_package(*yaml.load_all(compiled.to_yaml(), YAML_LOADER)))
    assert len(pods) > 10
    for pod in pods:
        assert list(core_problems(pod)) == [], pod["metadata"]["name"]
        assert list(restricted_problems(pod["spec"])) == [], pod["metadata"]["name"]


@pytest.mark.parametrize("name", compiled_names())
def test_nothing_is_installed_when_a_task_starts(name: str) -> None:
    for pod in pods_of_package(*shipped_package(name)):
        (container,) = pod["spec"]["containers"]
        program = " ".join((*container["command"], *container["args"]))
        assert not re.search(r"\bpip3?\b|\bapt(-get)?\b|\bmicrodnf\b|curl |wget ", program)


@pytest.mark.parametrize("name", compiled_names())
def test_no_package_holds_a_credential_or_asks_for_one(name: str) -> None:
    package, platform = shipped_package(name)
    places = {
        variable["value"]
        for pod in pods_of_package(package, platform)
        for variable in pod["spec"]["containers"][0]["env"]
    }
    assert all(place.startswith("/var/run/secrets/") for place in places)
    form = package["root"]["inputDefinitions"]["parameters"]
    named = [field for field in form if re.search("secret|token|key|password|credential", field)]
    secrets = {"teacher_secret", "storage_secret", "git_secret", "git_secret_url"}
    assert set(named) <= {*secrets, "max_num_tokens"}
    assert "secretAsEnv" not in str(platform)
