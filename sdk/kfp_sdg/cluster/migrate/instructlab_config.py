"""The rules for InstructLab's ``config.yaml``: its section ``generate``.

The keys are those of ``_generate`` in instructlab/instructlab (``configuration.py``).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any

from kfp_sdg.cluster.migrate import commands
from kfp_sdg.cluster.migrate.model import Decision, Entry, Fate, Migration, Setting
from kfp_sdg.instructlab.pipeline_set import ALIASES
from kfp_sdg.spec.problems import did_you_mean, in_file_order

if TYPE_CHECKING:
    from kfp_sdg.cluster.migrate.model import Value
    from kfp_sdg.cluster.migrate.values import Values

KIND = "config.yaml of InstructLab"

_SECRET = "kfp-sdg-teacher"  # noqa: S105 - the name of a Secret
_GIT_SECRET = "kfp-sdg-git"  # noqa: S105 - the name of a Secret
_LOCAL = "a folder of the machine that ilab ran on; results are artifacts of the run"
_NOT_NEEDED = {
    "num_cpus": "each task finds by itself how many answers the teacher can make at once",
    "batch_size": "each task finds by itself how many answers the teacher can make at once",
    "output_dir": _LOCAL,
    "prompt_file": "of InstructLab's first pipeline; prompts are part of the pipelines",
    "seed_file": "of InstructLab's first pipeline; seed examples are those of the taxonomy",
    "teacher": "ilab served the model itself; on a cluster that is an InferenceService",
}
_NUMBERS = {
    "sdg_scale_factor": "num_instructions_to_generate",
    "chunk_word_count": "chunk_word_count",
    "max_num_tokens": "max_num_tokens",
}
_OWN = ("taxonomy_path", "taxonomy_base", "model", "pipeline")


@dataclass(slots=True)
class _Result:
    """What has been found so far."""

    values: Values
    settings: list[Setting] = field(default_factory=list)
    entries: list[Entry] = field(default_factory=list)
    decisions: list[Decision] = field(default_factory=list)

    def note(self, name: str, value: Any, fate: Fate, why: str, became: str = "") -> None:
        where = self.values.where(name)
        self.entries.append(Entry(f"generate.{name}", value, where, fate, became, why))

    def set(self, name: str, value: Value | None, comment: str) -> None:
        self.settings.append(Setting(name, value, comment))

    def decide(self, what: str, how: str) -> None:
        self.decisions.append(Decision(what, how))


def migrate_config(
    file: str, generate: Values, *, teacher_url: str = "", model_id: str = ""
) -> Migration:
    """Turn the section ``generate`` into parameters of ours.

    Args:
        file: The file's name.
        generate: The section.
        teacher_url: The teacher's base URL; "" where it is not known.
        model_id: The model to ask; "" where it is not known.
    """
    result = _Result(generate)
    _taxonomy(result)
    family = _teacher(result, teacher_url, model_id)
    for theirs, ours in _NUMBERS.items():
        number = generate.get(theirs, int)
        if number is not None:
            result.set(ours, number, f"generate.{theirs} of InstructLab.")
            result.note(theirs, number, Fate.BECAME, "", f"{ours}: {number}")
    pipelines = _pipelines(result)
    for name, why in _NOT_NEEDED.items():
        if generate.where(name):
            value = "…" if name == "teacher" else generate.content[name]
            result.note(name, value, Fate.NO_COUNTERPART, why)
    _warn_of_unknown(generate)
    return Migration(
        file,
        KIND,
        tuple(result.settings),
        tuple(sorted(result.entries, key=lambda e: e.where.line if e.where else 1 << 30)),
        tuple(result.decisions),
        (
            commands.create_teacher_secret(_SECRET),
            *commands.create_git_secret(_GIT_SECRET, ""),
            *commands.run_workflow(
                pipelines, (), teacher_url=teacher_url, model_id=model_id, family=family
            ),
        ),
        in_file_order(generate.findings.warnings),
    )


def _taxonomy(result: _Result) -> None:
    folder = result.values.get("taxonomy_path", str, "")
    result.set("taxonomy_repo", None, "The URL of the taxonomy's git repository.")
    result.note("taxonomy_path", folder, Fate.DECIDE, "a folder of one machine; pods cannot see it")
    result.decide(
        "Where is the taxonomy's repository?",
        "Push it to a git server and fill in taxonomy_repo; what is not committed is not read.",
    )
    base = result.values.get("taxonomy_base", str, "origin/main")
    if base == "empty":
        result.set("taxonomy_base", base, "All leaves.")
        result.note("taxonomy_base", base, Fate.BECAME, "", "taxonomy_base: empty")
        return
    ours = base.removeprefix("origin/")
    result.set("taxonomy_branch", None, "The branch with your leaves.")
    result.set("taxonomy_base", ours, "Leaves that differ from it are generated from.")
    result.note(
        "taxonomy_base", base, Fate.BECAME, "seen from the repository", f"taxonomy_base: {ours}"
    )
    result.decide(
        f"On which branch are the leaves that differ from {ours}?",
        "Fill in taxonomy_branch; or set taxonomy_base to empty, for all leaves.",
    )


def _teacher(result: _Result, teacher_url: str, model_id: str) -> str:
    """Take over the teacher; return its chat format, if the file says one."""
    path = result.values.get("model", str, "") or result.values.part("teacher").get(
        "model_path", str, ""
    )
    name = PurePosixPath(path).name
    result.note(
        "model",
        path,
        Fate.BECAME if model_id else Fate.DECIDE,
        "a file of one machine; a server has a name for its model",
        f"model_id: {model_id}" if model_id else "",
    )
    result.set("teacher_url", teacher_url or None, "The teacher's base URL, with /v1.")
    result.set("model_id", model_id or None, f"What the server calls the model; ilab's was {name}.")
    if not teacher_url:
        result.decide(
            "Where is the teacher? ilab served one itself.",
            "Serve one (kfp-sdg teacher render) and fill in teacher_url; or give --teacher-url.",
        )
    if not model_id:
        result.decide(
            f"What does the teacher call its model? ilab's was {name}.",
            "Fill in model_id; or give --model-id.",
        )
    result.set("teacher_secret", _SECRET, "The Secret with the teacher's key; it need not exist.")
    family = next(
        filter(
            None,
            (
                result.values.part("teacher").part(backend).get("llm_family", str, "")
                for backend in ("vllm", "llama_cpp")
            ),
        ),
        "",
    )
    if family:
        result.set("model_family", family, "The chat format of the model.")
    context = result.values.part("teacher").part("llama_cpp").get("max_ctx_size", int)
    if context:
        result.set("server_ctx_size", context, "The teacher's context; put in that of yours.")
    return family


def _pipelines(result: _Result) -> str:
    named = result.values.get("pipeline", str, "full")
    alias = PurePosixPath(named).name
    if alias not in ALIASES:
        result.decide(
            f"Which pipelines, in the place of {named}?",
            "Compile that folder where it is, or take instructlab/full, which ships. A teacher has "
            "to serve every model and adapter that they name; kfp-sdg teacher check tells.",
        )
    chosen = f"instructlab/{alias}" if alias in ALIASES else named
    why = "chosen when the workflow is compiled, not when it is run"
    result.note("pipeline", named, Fate.BECAME, why, f"kfp-sdg compile {chosen}")
    return chosen


def _warn_of_unknown(generate: Values) -> None:
    known = {*_NOT_NEEDED, *_NUMBERS, *_OWN}
    for name in generate.content:
        if name not in known:
            generate.findings.warn(
                generate.source.at(*generate.path, name),
                f"the section generate has a key {name!r} that is not known here",
                code="unknown-key",
                suggestion=did_you_mean(name, known),
            )
