"""Kubernetes' words for pods, checked before a cluster sees them.

Every function returns what it was given, or what it says, or raises a ``ValueError`` whose text is
for people.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME_PART = r"[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
_SUBDOMAIN = r"[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*"
_KEY = re.compile(rf"({_SUBDOMAIN}/)?{_NAME_PART}")
_VALUE = re.compile(rf"({_NAME_PART})?")
_OBJECT = re.compile(_SUBDOMAIN)
_LONGEST_SUBDOMAIN = 253
_SERVICE = re.compile(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?")
"""KServe's own rule; its webhook refuses other names."""

_IMAGE = re.compile(
    r"([A-Za-z0-9]([-A-Za-z0-9.]*[A-Za-z0-9])?(:\d+)?/)?"  # registry
    r"[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*"  # path
    r"(:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?(@sha256:[0-9a-f]{64})?"
)

_CPU = re.compile(r"(?P<milli>\d+)m|(?P<whole>\d+(\.\d{1,3})?)")
_MEMORY = re.compile(r"(?P<number>\d+)(?P<unit>[KMGTPE]i|[MGTPE]|)")
_UNITS = {
    "": 1,
    **{f"{letter}i": 1024**power for power, letter in enumerate("KMGTPE", start=1)},
    **{letter: 1000**power for power, letter in enumerate("MGTPE", start=2)},
}


def cpu_millicores(text: str) -> int:
    """Return how many thousandths of a CPU a quantity says.

    Args:
        text: A quantity that both Kubernetes and KFP take: "500m", "2" or "1.5".

    Raises:
        ValueError: It is none, or nothing at all.
    """
    found = _CPU.fullmatch(text)
    millicores = 0
    if found:
        millicores = int(found["milli"] or 0) or round(float(found["whole"] or 0) * 1000)
    if not millicores:
        raise ValueError(f"{text!r} is no amount of CPU; expected a number such as 2, 1.5 or 500m")
    return millicores


def memory_bytes(text: str) -> int:
    """Return how many bytes a quantity says.

    Args:
        text: A quantity that both Kubernetes and KFP take: "512Mi", "4Gi" or "2G". KFP knows no
            fractions, and calls "K" what Kubernetes calls "k".

    Raises:
        ValueError: It is none, or nothing at all.
    """
    found = _MEMORY.fullmatch(text)
    size = int(found["number"]) * _UNITS[found["unit"]] if found else 0
    if not size:
        raise ValueError(
            f"{text!r} is no amount of memory; expected a whole number with a unit, such as 512Mi "
            "or 4Gi"
        )
    return size


def label_key(text: str) -> str:
    """Return the key of a label, an annotation or a taint.

    Raises:
        ValueError: Kubernetes would refuse it.
    """
    prefix = text.rpartition("/")[0]
    if len(prefix) > _LONGEST_SUBDOMAIN or not _KEY.fullmatch(text):
        raise ValueError(
            f"{text!r} is no key; expected at most 63 letters, digits, dashes, underscores and "
            "dots, with a letter or digit at both ends, and maybe a domain and / before them"
        )
    return text


def label_value(text: str) -> str:
    """Return the value of a label or a taint.

    Raises:
        ValueError: Kubernetes would refuse it.
    """
    if not _VALUE.fullmatch(text):
        raise ValueError(
            f"{text!r} is no value; expected at most 63 letters, digits, dashes, underscores and "
            "dots, with a letter or digit at both ends"
        )
    return text


def annotation_value(text: str) -> str:
    """Return the value of an annotation.

    Raises:
        ValueError: A workflow engine would take it for a template of its own.
    """
    if "{{" in text:
        raise ValueError(
            f"{text!r} has two opening braces in a row, which workflow engines take for a template "
            "of theirs"
        )
    return text


def object_name(text: str) -> str:
    """Return the name of an object such as a Secret.

    Raises:
        ValueError: Kubernetes would refuse it.
    """
    if len(text) > _LONGEST_SUBDOMAIN or not _OBJECT.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name; expected at most {_LONGEST_SUBDOMAIN} lower-case letters, "
            "digits, dashes and dots, with a letter or digit at both ends"
        )
    return text


def service_name(text: str) -> str:
    """Return the name of an InferenceService.

    Raises:
        ValueError: KServe would refuse it.
    """
    if not _SERVICE.fullmatch(text):
        raise ValueError(
            f"{text!r} is no name of an InferenceService; expected at most 63 lower-case letters, "
            "digits and dashes, with a letter first and no dash at the end"
        )
    return text


def image_reference(text: str) -> str:
    """Return the reference of an image.

    Raises:
        ValueError: It is none.
    """
    if not _IMAGE.fullmatch(text):
        raise ValueError(
            f"{text!r} is no image; expected a name such as registry.example/team/image:v1 or "
            "registry.example/team/image@sha256:… with 64 hexadecimal digits"
        )
    return text


def key_and_value(text: str, value: Callable[[str], str] = label_value) -> tuple[str, str]:
    """Return the two halves of KEY=VALUE.

    Args:
        text: The whole.
        value: What the value has to be.

    Raises:
        ValueError: A half is missing, or Kubernetes would refuse it.
    """
    key, separator, rest = text.partition("=")
    if not separator:
        raise ValueError(f"{text!r} has no =; expected KEY=VALUE")
    return label_key(key), value(rest)
