"""The rules for a parameter file of ilab-on-ocp's pipeline.

What its ``sdg_op`` did with each parameter is in opendatahub-io/ilab-on-ocp, ``sdg/components.py``:
it generated from the whole taxonomy (``taxonomy_base`` "empty"), in the chat format of Mixtral,
with 1,000 words in a chunk and a context of 4,096 tokens.
"""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from kfp_sdg.cluster.migrate import commands
from kfp_sdg.cluster.migrate.ilab_parameters import FORMER_NAMES, PARAMETERS, SDG
from kfp_sdg.cluster.migrate.model import Decision, Entry, Fate, Migration, Setting
from kfp_sdg.cluster.migrate.pods import pod_options
from kfp_sdg.cluster.migrate.values import Values
from kfp_sdg.instructlab.documents.access import without_user_info
from kfp_sdg.instructlab.pipeline_set import ALIASES
from kfp_sdg.spec.problems import did_you_mean, in_file_order

if TYPE_CHECKING:
    from kfp_sdg.cluster.migrate.model import Value

KIND = "parameter file of ilab-on-ocp"

_FAMILY = "mixtral"
_AGENTIC = "agentic"
_PLACEHOLDER = "PIPELINES_FOLDER"


class _Rules:
    """One migration in the making."""

    def __init__(self, values: Values, teacher_url: str, model_id: str) -> None:
        self.values = values
        self.teacher_url = teacher_url
        self.model_id = model_id
        self.settings: list[Setting] = []
        self.entries: list[Entry] = []
        self.decisions: list[Decision] = []

    def get(self, name: str) -> Any:
        known = PARAMETERS[name]
        return self.values.get(name, known.kind, known.default)

    def set(self, name: str, value: Value | None, comment: str) -> None:
        self.settings.append(Setting(name, value, comment))

    def became(self, theirs: str, ours: str, value: Value, why: str, comment: str = "") -> None:
        """Note that a parameter became one of ours, with this value."""
        self.set(ours, value, comment or f"{theirs} of ilab-on-ocp.")
        where = self.values.where(theirs)
        self.entries.append(Entry(theirs, value, where, Fate.BECAME, f"{ours}: {value}", why))

    def note(self, theirs: str, fate: Fate, why: str, became: str = "") -> None:
        """Note what else became of a parameter."""
        value = self.get(theirs)
        self.entries.append(Entry(theirs, value, self.values.where(theirs), fate, became, why))

    def secret(self, name: str) -> str:
        """Return the name of a Secret; their default where the file leaves it empty."""
        return str(self.get(name) or PARAMETERS[name].default)

    # -- the rules --------------------------------------------------------------------------------

    def taxonomy(self) -> str:
        """Take over where the taxonomy is; return the repository's URL."""
        repo, secret = self._repo()
        if repo:
            self.became("sdg_repo_url", "taxonomy_repo", repo, "")
        else:
            self.set("taxonomy_repo", None, "The URL of the taxonomy's git repository.")
            self.note("sdg_repo_url", Fate.DECIDE, "the file has none, and a run needs one")
            self.decisions.append(Decision("Which taxonomy?", "Fill in taxonomy_repo."))
        if secret:
            self.decisions.append(
                Decision(
                    "The repository's URL holds a password or a token, which is left out here and "
                    "which KFP has kept with every run so far.",
                    "Make another one, and put it into the Secret that git_secret names.",
                )
            )
        self._revision()
        self.set(
            "taxonomy_base",
            "empty",
            "ilab-on-ocp always generates from all leaves. Empty text: all leaves, or those that "
            "the pull request changes.",
        )
        name = self.secret("sdg_repo_secret")
        why = "the Secret stays: its keys are those that kfp-sdg reads"
        if commands.is_ssh(repo):
            why += ", but for known_hosts, which has to be added"
        self.became("sdg_repo_secret", "git_secret", name, why, "It need not exist.")
        return repo

    def _repo(self) -> tuple[str, bool]:
        """Return the repository without what logs in to it, and whether there was something."""
        url = (self.get("sdg_repo_url") or "").strip()
        plain, _ = without_user_info(url)
        return plain, urlsplit(plain).netloc != urlsplit(url).netloc

    def _revision(self) -> None:
        branch, number = self.get("sdg_repo_branch"), self.get("sdg_repo_pr")
        if branch:
            self.became("sdg_repo_branch", "taxonomy_branch", branch, "")
            why = "none was asked for"
            if number:
                why = f"ilab-on-ocp takes the branch where both are given; pull request {number}"
                why += " is left out"
                self.decisions.append(
                    Decision(
                        f"The branch {branch} or the pull request {number}?",
                        "ilab-on-ocp reads the branch, and so does this file. For the pull request "
                        f"set pull_request to {number}; taxonomy_branch is then what it is for.",
                    )
                )
            self.set("pull_request", 0, "0: none.")
            fate = Fate.NO_COUNTERPART if number else Fate.BECAME
            self.note("sdg_repo_pr", fate, why, "" if number else "pull_request: 0")
            return
        self.set("taxonomy_branch", "", "Empty: the repository's default branch.")
        self.note(
            "sdg_repo_branch", Fate.BECAME, "the repository's default branch", "taxonomy_branch: ''"
        )
        self.became("sdg_repo_pr", "pull_request", number, "", "0: none.")

    def teacher(self) -> str:
        """Take over the teacher; return its Secret's name."""
        secret = self.secret("sdg_teacher_secret")
        self.became(
            "sdg_teacher_secret",
            "teacher_secret",
            secret,
            "the Secret stays: kfp-sdg reads its api_token; endpoint and model_name in it become "
            "parameters",
            "The Secret with the teacher's key under api_token.",
        )
        told = (
            (self.teacher_url, "teacher_url", "endpoint"),
            (self.model_id, "model_id", "model_name"),
        )
        for given, ours, key in told:
            self.set(ours, given or None, f"What {secret} has under {key}.")
            if not given:
                self.decisions.append(
                    Decision(
                        f"What is {ours}? It stands in the Secret {secret}, under {key}.",
                        f"Read it with the command below and fill in {ours}; or run this again "
                        f"with --{ours.replace('_', '-')}.",
                    )
                )
        self.set("model_family", _FAMILY, "ilab-on-ocp always asks in this chat format.")
        return secret

    def amounts(self) -> None:
        """Take over how much is generated, and how fast."""
        self.became(
            "sdg_scale_factor", "num_instructions_to_generate", self.get("sdg_scale_factor"), ""
        )
        self.set("chunk_word_count", 1000, "As ilab-on-ocp always has it.")
        self.set("server_ctx_size", 4096, "As ilab-on-ocp always has it.")
        batch, workers = self.get("sdg_batch_size"), self.get("sdg_num_workers")
        why = (
            "each task finds by itself how many answers the teacher can make at once; "
            f"max_concurrency: {batch * workers} would cap it where {workers} workers with batches "
            f"of {batch} did"
        )
        self.set("max_concurrency", 0, "0: each task finds the best number by itself.")
        self.note("sdg_batch_size", Fate.BECAME, why, "max_concurrency: 0")
        self.note("sdg_num_workers", Fate.BECAME, "as sdg_batch_size", "max_concurrency: 0")
        self._sample_size()

    def _sample_size(self) -> None:
        share = self.get("sdg_sample_size")
        why = (
            "the share of the precomputed skills that RHEL AI's image mixes in; kfp-sdg mixes what "
            "it generates, and mixes in any other data with `kfp-sdg mix` and a recipe"
        )
        fate = Fate.NO_COUNTERPART
        if self.values.where("sdg_sample_size") and share:
            fate = Fate.DECIDE
            self.decisions.append(
                Decision(
                    "Are RHEL AI's precomputed skills to be mixed in? (sdg_sample_size)",
                    f"If so, give them a sampling_size of {share:g} in a recipe for `kfp-sdg mix`, "
                    "after the run. skills_sampling_size is something else: the rows of each leaf.",
                )
            )
        self.note("sdg_sample_size", fate, why)

    def pipeline(self) -> str:
        """Choose the pipelines; return what ``kfp-sdg compile`` is given."""
        named = self.get("sdg_pipeline")
        alias = PurePosixPath(named).name
        if alias in ALIASES:
            chosen = f"instructlab/{alias}"
            why = "chosen when the workflow is compiled, not when it is run"
            self.note("sdg_pipeline", Fate.BECAME, why, f"kfp-sdg compile {chosen}")
            return chosen
        self.note(
            "sdg_pipeline",
            Fate.DECIDE,
            f"the pipelines are a folder in RHEL AI's image, {named}, which kfp-sdg does not ship",
            f"kfp-sdg compile {_PLACEHOLDER}",
        )
        adapters = (
            " The agentic ones ask the LoRA adapters skill-classifier-v3-clm and "
            "text-classifier-knowledge-v3-clm too, which the teacher has to serve."
            if alias == _AGENTIC
            else ""
        )
        self.decisions.append(
            Decision(
                f"Which pipelines, in the place of {named}?",
                f"Copy that folder out of the image and compile it ({_PLACEHOLDER} below), or take "
                f"instructlab/full, which ships and needs Mixtral alone.{adapters}",
            )
        )
        return _PLACEHOLDER

    def pods(self) -> tuple[str, ...]:
        """Return the options of ``kfp-sdg compile`` for where pods run."""
        tolerations = self.values.get("train_tolerations", list, [])
        selectors = self.values.get("train_node_selectors", dict, {})
        options, refused = pod_options(tolerations, selectors)
        why = (
            "chosen when the workflow is compiled. ilab-on-ocp used it for the SDG task too, which "
            "took a GPU; tasks of kfp-sdg need none, so that it may be left out"
        )
        for name, given in (
            ("train_tolerations", tolerations),
            ("train_node_selectors", selectors),
        ):
            mine = [o for o in options if o.startswith("--tol") == (name == "train_tolerations")]
            if given:
                self.note(name, Fate.BECAME, why, f"kfp-sdg compile {' '.join(mine)}".strip())
            else:
                self.note(name, Fate.NO_COUNTERPART, "none was given")
        for what in refused:
            where = self.values.where("train_tolerations") or self.values.source.root
            self.values.findings.warn(where, what, code="toleration")
        return options

    def rest(self) -> None:
        """Say of every other parameter why it has no counterpart, and of unknown ones that."""
        for name, known in PARAMETERS.items():
            if known.why_not != SDG:
                self.note(name, Fate.NO_COUNTERPART, known.why_not)
        for name in self.values.content:
            if name not in PARAMETERS:
                self.values.findings.warn(
                    self.values.source.at(*self.values.path, name),
                    f"ilab-on-ocp's pipeline has no parameter {name!r}",
                    code="unknown-key",
                    suggestion=did_you_mean(name, PARAMETERS),
                )


def migrate_parameters(
    file: str, values: Values, *, teacher_url: str = "", model_id: str = ""
) -> Migration:
    """Turn parameters of ilab-on-ocp's pipeline into ours.

    Args:
        file: The file's name.
        values: The parameters.
        teacher_url: The teacher's base URL; "" where it is not known.
        model_id: The model to ask; "" where it is not known.
    """
    rules = _Rules(_with_present_names(values), teacher_url, model_id)
    repo = rules.taxonomy()
    secret = rules.teacher()
    rules.amounts()
    pipelines = rules.pipeline()
    options = rules.pods()
    rules.set("evaluate", True, "Questions to test a trained model with, as ilab-on-ocp made them.")
    rules.rest()
    git_secret = rules.secret("sdg_repo_secret")
    needs_teacher = not (teacher_url and model_id)
    return Migration(
        file,
        KIND,
        tuple(rules.settings),
        tuple(sorted(rules.entries, key=lambda entry: _order(entry))),
        tuple(rules.decisions),
        (
            *(commands.read_teacher(secret) if needs_teacher else ()),
            commands.create_teacher_secret(secret),
            *commands.create_git_secret(git_secret, repo),
            *commands.run_workflow(
                pipelines, options, teacher_url=teacher_url, model_id=model_id, family=_FAMILY
            ),
        ),
        in_file_order(values.findings.warnings),
    )


def _order(entry: Entry) -> tuple[bool, int]:
    """Return where an entry comes: those of the file first, as they stand there."""
    return entry.where is None, entry.where.line if entry.where else 0


def _with_present_names(values: Values) -> Values:
    """Return the values with former names replaced; each is warned of."""
    content = dict(values.content)
    nodes = dict(values.source.nodes)
    for old, new in FORMER_NAMES.items():
        if old in content and new not in content:
            content[new] = content.pop(old)
            where = values.source.at(*values.path, old)
            nodes[(*values.path, new)] = where
            values.findings.warn(
                where, f"{old!r} is the former name of {new!r}", code="former-name"
            )
    source = type(values.source)(values.source.root, nodes, values.source.written)
    return Values(content, source, values.findings, values.path)
