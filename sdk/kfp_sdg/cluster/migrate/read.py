"""Tell what a file is, and let the rules for it do the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.migrate.ilab_on_ocp import migrate_parameters
from kfp_sdg.cluster.migrate.ilab_parameters import FORMER_NAMES, PARAMETERS
from kfp_sdg.cluster.migrate.instructlab_config import migrate_config
from kfp_sdg.cluster.migrate.values import Values
from kfp_sdg.errors import Problem, SpecError
from kfp_sdg.spec.problems import Findings
from kfp_sdg.spec.yaml_source import read_yaml

if TYPE_CHECKING:
    from pathlib import Path

    from kfp_sdg.cluster.migrate.model import Migration
    from kfp_sdg.spec.model import NodePath

_RUN_KEYS = ("runtime_config", "runtimeConfig")
"""Below which a run has its ``parameters``, as KFP's API gives and takes it."""


def migrate(path: Path, *, teacher_url: str = "", model_id: str = "") -> Migration:
    """Turn a file of another tool into parameters of ours.

    It may be a parameter file of ilab-on-ocp's pipeline (a mapping from name to value, or a run of
    KFP's API, which has it under ``runtime_config``), or InstructLab's ``config.yaml``.

    Args:
        path: The file; YAML or JSON.
        teacher_url: The teacher's base URL, which neither file holds.
        model_id: The model to ask.

    Raises:
        SpecError: There is no such file, it is not YAML, or it is neither of the two.
    """
    findings = Findings()
    document = read_yaml(path, kind="parameter file", findings=findings)
    findings.raise_errors()
    content: dict[str, Any] = document.content
    where: NodePath = ()
    for key in _RUN_KEYS:
        run = content.get(key)
        if isinstance(run, dict) and isinstance(run.get("parameters"), dict):
            content, where = run["parameters"], (key, "parameters")
    values = Values(content, document.source, findings, where)
    if content.keys() & {*PARAMETERS, *FORMER_NAMES}:
        return migrate_parameters(str(path), values, teacher_url=teacher_url, model_id=model_id)
    if isinstance(content.get("generate"), dict):
        return migrate_config(
            str(path), values.part("generate"), teacher_url=teacher_url, model_id=model_id
        )
    raise SpecError(
        Problem(
            "this is no parameter file that can be migrated",
            document.source.root,
            expected="a mapping with parameters of ilab-on-ocp's pipeline, such as sdg_repo_url; "
            "or InstructLab's config.yaml, with a section generate",
            code="unknown-file",
        )
    )
