"""Resources as YAML that people can read, the same bytes every time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeAlias

import yaml

if TYPE_CHECKING:
    from collections.abc import Iterable

Manifest: TypeAlias = dict[str, Any]
"""A Kubernetes resource, or another document of YAML, as plain Python values."""


class _Dumper(yaml.CSafeDumper):
    """Writes texts of several lines as blocks, and no anchors."""

    def ignore_aliases(self, data: object) -> bool:
        return True


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _text)


def yaml_text(documents: Iterable[object], *, header: str = "", sort_keys: bool = False) -> str:
    """Return documents as YAML.

    Args:
        documents: Plain values, one document each.
        header: Comment lines without their ``#``, to stand above the first document.
        sort_keys: Whether keys are sorted; else they stay in their order.
    """
    comment = "".join(f"# {line}\n" for line in header.splitlines())
    return comment + yaml.dump_all(
        documents, Dumper=_Dumper, sort_keys=sort_keys, allow_unicode=True, width=10**6
    )
