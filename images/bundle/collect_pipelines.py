"""Build the content of the bundle: the compiled pipelines and the list of them.

Runs while the image is built, with the standard library alone. What it writes is what OpenShift AI
reads: ``managed-pipelines.json``, which the operator finds in a layer of the image, and a YAML file
for each pipeline, which ``copy_pipelines.py`` hands to the API server.

The rules are those of ``controllers/managed_pipelines_fetcher.go`` and ``…_validation.go`` in
github.com/opendatahub-io/data-science-pipelines-operator, and of ``apiserver/config/config.go`` in
github.com/opendatahub-io/data-science-pipelines.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

MAX_LIST = 1 << 20
"""Bytes of the largest list that the operator reads."""

MAX_PIPELINE = 32 << 20
"""Bytes of the largest pipeline that the API server reads."""

NAME = re.compile(r"[a-zA-Z0-9][a-zA-Z0-9._-]*")
"""The names that the API server takes."""

STABILITY = "Development Preview"
"""What OpenShift AI's own list calls alpha, which is what this distribution says of itself."""

_INDENT = " " * len(" Description: ")
"""What KFP's compiler puts before the further lines of a description in a package's header."""


class BundleError(Exception):
    """The pipelines cannot be bundled; the text says which one, and why."""


@dataclass(frozen=True)
class Entry:
    """A pipeline of the list; its fields are those of the operator's ``ManagedPipelineEntry``.

    Attributes:
        name: The pipeline's name in the dashboard.
        description: What it does.
        path: Where its YAML is in the image, relative to the list.
        stability: How far it can be relied on.
    """

    name: str
    description: str
    path: str
    stability: str


def header(text: str, file: Path) -> tuple[str, str]:
    """Return the name and the description that KFP's compiler wrote at the head of a package.

    Args:
        text: The package.
        file: Its path, for messages.

    Raises:
        BundleError: There is no name.
    """
    name = ""
    description: list[str] | None = None
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        content = line[1:]
        if content.startswith(" Name: "):
            name = content.removeprefix(" Name: ").strip()
        elif content.startswith(" Description: "):
            description = [content.removeprefix(" Description: ")]
        elif description is not None and (content.startswith(_INDENT) or not content.strip()):
            description.append(content[len(_INDENT) :])
        elif description is not None:
            break
    if not name:
        raise BundleError(f"{file}: no line '# Name: …' at its head; is it a compiled pipeline?")
    return name, "\n".join(line.rstrip() for line in description or ()).strip()


def collect(compiled: Path, output: Path) -> list[Entry]:
    """Write the list and the pipelines.

    Args:
        compiled: The folder with the compiled pipelines, at any depth.
        output: The folder to fill; it is made.

    Returns:
        The list, in the order of the names.

    Raises:
        BundleError: A pipeline breaks a rule of OpenShift AI, or there is none.
    """
    entries: dict[str, Entry] = {}
    (output / "pipelines").mkdir(parents=True, exist_ok=True)
    for file in sorted(compiled.rglob("*.yaml")):
        content = file.read_bytes()
        name, description = header(content.decode("utf-8"), file)
        if not NAME.fullmatch(name):
            raise BundleError(f"{file}: the name {name!r} does not match {NAME.pattern}")
        if name in entries:
            raise BundleError(f"{file}: another pipeline is called {name!r} too")
        if len(content) > MAX_PIPELINE:
            raise BundleError(f"{file}: {len(content):,} bytes, at most {MAX_PIPELINE:,} are read")
        entries[name] = Entry(name, description, f"pipelines/{name}.yaml", STABILITY)
        (output / entries[name].path).write_bytes(content)
    if not entries:
        raise BundleError(f"{compiled}: no compiled pipeline is there")
    listed = [entries[name] for name in sorted(entries)]
    text = json.dumps([asdict(entry) for entry in listed], indent=2, ensure_ascii=False) + "\n"
    if len(text.encode()) > MAX_LIST:
        raise BundleError(
            f"the list has {len(text.encode()):,} bytes, at most {MAX_LIST:,} are read"
        )
    (output / "managed-pipelines.json").write_text(text, encoding="utf-8")
    return listed


def main() -> int:
    """Run with the arguments of the command line; return the exit code."""
    parser = argparse.ArgumentParser(description="Build the content of the bundle image.")
    parser.add_argument("compiled", type=Path, help="the folder with the compiled pipelines")
    parser.add_argument("output", type=Path, help="the folder to fill")
    arguments = parser.parse_args()
    try:
        listed = collect(arguments.compiled, arguments.output)
    except (BundleError, OSError, UnicodeDecodeError) as error:
        sys.stderr.write(f"collect_pipelines: {error}\n")
        return 1
    sys.stdout.write(f"{len(listed)} pipelines in {arguments.output}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
