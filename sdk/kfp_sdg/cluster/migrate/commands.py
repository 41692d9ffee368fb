"""The commands that come after a migration, quoted for a shell."""

from __future__ import annotations

import re
import shlex

from kfp_sdg.cluster.migrate.model import PARAMS, Command

PACKAGE = "instructlab-sdg.yaml"
"""The compiled workflow."""

_SSH = re.compile(r"(?:ssh://(?:[^@/]+@)?([^/:]+)(?::(\d+))?/|[^@/:]+@([^/:]+):)")
"""``ssh://user@host:port/path``, or ``user@host:path`` as scp has it."""


def is_ssh(repo: str) -> bool:
    """Tell whether a repository is reached by ssh."""
    return _SSH.match(repo) is not None


def quoted(*words: str) -> str:
    """Return a command line."""
    return shlex.join(words)


def read_teacher(secret: str) -> tuple[Command, ...]:
    """Return how to find what the Secret of ilab-on-ocp's teacher says of it.

    Args:
        secret: The Secret.
    """
    return tuple(
        Command(
            f"The Secret has {what} under {key}; ours is the parameter {ours}.",
            f"kubectl get secret {shlex.quote(secret)} -o jsonpath='{{.data.{key}}}' | base64 -d",
        )
        for what, key, ours in (
            ("the teacher's URL", "endpoint", "teacher_url"),
            ("the model's name", "model_name", "model_id"),
        )
    )


def create_teacher_secret(secret: str) -> Command:
    """Return how to make the Secret of the teacher's key where there is none."""
    return Command(
        "The teacher's key, where the namespace has no such Secret yet; token.txt holds it.",
        quoted(
            *("kubectl", "create", "secret", "generic", secret),
            "--from-file=api_token=token.txt",
        ),
    )


def create_git_secret(secret: str, repo: str) -> tuple[Command, ...]:
    """Return how to make the Secret of the taxonomy's repository, where it is private.

    Args:
        secret: The Secret.
        repo: The repository's URL, which says whether it is reached by ssh.
    """
    create = ("kubectl", "create", "secret", "generic", secret)
    ssh = _SSH.match(repo)
    if ssh is None:
        return (
            Command(
                "The taxonomy's repository, where it is private and the namespace has no such "
                "Secret yet; password.txt holds the password or token.",
                quoted(
                    *create,
                    "--type=kubernetes.io/basic-auth",
                    "--from-literal=username=USER",
                    "--from-file=password=password.txt",
                ),
            ),
        )
    port = ("-p", ssh[2]) if ssh[2] else ()
    scan = quoted("ssh-keyscan", *port, ssh[1] or ssh[3])
    return (
        Command(
            "The host's own key. ilab-on-ocp believed any; kfp-sdg wants to know it.",
            f"{scan} > known_hosts",
        ),
        Command(
            "The taxonomy's repository: the key, and the host's.",
            quoted(
                *create,
                "--type=kubernetes.io/ssh-auth",
                "--from-file=ssh-privatekey=id_ed25519",
                "--from-file=known_hosts=known_hosts",
            ),
        ),
    )


def run_workflow(
    pipelines: str, options: tuple[str, ...], *, teacher_url: str, model_id: str, family: str
) -> tuple[Command, ...]:
    """Return how to compile the workflow, check its teacher and start it.

    Args:
        pipelines: The pipelines of the workflow: a shipped set, or a folder.
        options: Options of ``kfp-sdg compile``.
        teacher_url: The teacher's URL; "" where it is not known yet.
        model_id: The model; "" where it is not known yet.
        family: Its chat format; "" for the blocks' own.
    """
    check = ["kfp-sdg", "teacher", "check", teacher_url or "TEACHER_URL", "--pipeline", pipelines]
    check += ["--model-id", model_id] if model_id else []
    check += ["--model-family", family] if family else []
    return (
        Command(
            "The workflow, one task for each block.",
            quoted("kfp-sdg", "compile", pipelines, "-o", PACKAGE, *options),
        ),
        Command("Whether the teacher can do it, from a machine that reaches it.", quoted(*check)),
        Command("The run.", quoted("kfp-sdg", "submit", PACKAGE, "--params", PARAMS)),
    )
