"""The manifest of a dataset artifact: what is in it, and everything that was done to its rows."""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from kfp_sdg.errors import StorageError

if TYPE_CHECKING:
    from collections.abc import Mapping

FORMAT_VERSION = 1
MANIFEST_NAME = "_manifest.json"

GROUP_COLUMN = "leaf_node_path"
"""The column by whose values a block's books are told apart too. It is the one in which InstructLab
keeps the leaf of the taxonomy that a row is from: all leaves of a kind go through a pipeline
together, and who maintains one of them wants to know where its rows went."""


@dataclass(frozen=True, slots=True)
class GroupBooks:
    """What one block did to those of its rows that have the same value in ``GROUP_COLUMN``.

    Attributes:
        rows_in: Rows of the block's input.
        rows_out: Rows of its output.
        duplicates: Rows dropped as duplicates.
        rejected_by_reason: How many rows could not be used, for each reason.
    """

    rows_in: int = 0
    rows_out: int = 0
    duplicates: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)

    @property
    def rejected(self) -> int:
        """Rows that could not be used."""
        return sum(self.rejected_by_reason.values())

    @property
    def filtered(self) -> int:
        """Rows dropped by the block's own rule, less those that it made beyond its input's.

        No block of ours does both.
        """
        return max(0, self.rows_in - self.rows_out - self.duplicates - self.rejected)

    def to_json(self) -> dict[str, Any]:
        """Return the books as JSON values, without zeros: there is one for each leaf and block."""
        values = {
            "rows_in": self.rows_in,
            "rows_out": self.rows_out,
            "duplicates": self.duplicates,
            "rejected_by_reason": dict(self.rejected_by_reason),
        }
        return {key: value for key, value in values.items() if value}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> GroupBooks:
        """Return the books that ``to_json`` gave; keys of a later version are left out."""
        known = {f.name for f in dataclasses.fields(cls)}
        return cls(**{key: value[key] for key in value if key in known})


@dataclass(frozen=True, slots=True)
class HistoryEntry:
    """What one block did to the rows; ``rows_in + added`` is where all of them went.

    Attributes:
        block: The block's name.
        type: The block's type name.
        rows_in: Rows of the block's input.
        rows_out: Rows of its output.
        added: Rows made beyond the input's.
        filtered: Rows dropped by the block's own rule.
        duplicates: Rows dropped as duplicates.
        rejected: Rows that could not be used.
        rejected_by_reason: How many of them for each reason.
        requests: HTTP requests of this run that the teacher answered.
        prompt_tokens: Tokens the teacher read for them.
        completion_tokens: Tokens the teacher wrote for them.
        retries: How often a request was asked again.
        retries_by_cause: How many of them for each cause: "429", "timeout", "unreachable".
        journal_hits: Requests that were answered from the journal of an earlier run. They cost
            nothing, so they are not among ``requests``.
        wait_seconds: Seconds that requests waited for a place in flight, summed over requests.
        latency_p50: Seconds from sending a request to the end of its answer, which half of the
            requests did not exceed; 0 where nothing was asked. Retries are not part of it.
        latency_p95: The same for 95 % of the requests.
        latency_p99: The same for 99 % of the requests.
        seconds: From the block's first row to its last, in seconds; the blocks of one process
            overlap, so their sum exceeds the run's time.
        model: The model that was asked; None for blocks that ask none.
        groups: The books of the rows with each value of ``GROUP_COLUMN``; none where the block's
            input or output has no such column.
    """

    block: str
    type: str
    rows_in: int
    rows_out: int
    added: int = 0
    filtered: int = 0
    duplicates: int = 0
    rejected: int = 0
    rejected_by_reason: Mapping[str, int] = field(default_factory=dict)
    requests: int = 0
    prompt_tokens: int = 0
    completion_tokens: int = 0
    retries: int = 0
    retries_by_cause: Mapping[str, int] = field(default_factory=dict)
    journal_hits: int = 0
    wait_seconds: float = 0.0
    latency_p50: float = 0.0
    latency_p95: float = 0.0
    latency_p99: float = 0.0
    seconds: float = 0.0
    model: str | None = None
    groups: Mapping[str, GroupBooks] = field(default_factory=dict)

    def to_json(self) -> dict[str, Any]:
        """Return the entry as JSON values, ``groups`` only where there are any."""
        values = {
            **_fields(self),
            "rejected_by_reason": dict(self.rejected_by_reason),
            "retries_by_cause": dict(self.retries_by_cause),
            "groups": {name: books.to_json() for name, books in self.groups.items()},
        }
        return values if self.groups else {k: v for k, v in values.items() if k != "groups"}

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> HistoryEntry:
        """Return the entry that ``to_json`` gave.

        Keys that a later version added are left out; what an earlier one did not know is 0.

        Raises:
            TypeError: A key is missing.
        """
        known = {f.name for f in dataclasses.fields(cls)}
        groups = {k: GroupBooks.from_json(v) for k, v in value.get("groups", {}).items()}
        return cls(**{key: value[key] for key in value if key in known} | {"groups": groups})


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a dataset folder holds.

    Attributes:
        rows: How many rows.
        columns: The type of each column by its name, in order: "string", "list<int64>".
        fingerprint: The content's fingerprint, see ``kfp_sdg.storage.fingerprint``.
        history: One entry per block that touched the rows, in order.
        format_version: The version of the folder's layout.
    """

    rows: int
    columns: Mapping[str, str]
    fingerprint: str
    history: tuple[HistoryEntry, ...] = ()
    format_version: int = FORMAT_VERSION

    def to_json(self) -> dict[str, Any]:
        """Return the manifest as JSON values."""
        return {
            "format_version": self.format_version,
            "rows": self.rows,
            "columns": [{"name": name, "type": kind} for name, kind in self.columns.items()],
            "fingerprint": self.fingerprint,
            "history": [entry.to_json() for entry in self.history],
        }

    @classmethod
    def from_text(cls, text: str, source: str) -> Manifest:
        """Return the manifest that a file holds.

        Args:
            text: The file's text.
            source: The file's name, for errors.

        Raises:
            StorageError: This is no manifest, or one of a later version.
        """
        try:
            value = json.loads(text)
            version = value["format_version"]
            if not isinstance(version, int) or version > FORMAT_VERSION:
                raise StorageError(
                    f"{source}: the dataset has format version {version}, and this kfp-sdg reads "
                    f"versions up to {FORMAT_VERSION}; install a newer kfp-sdg"
                )
            return cls(
                rows=int(value["rows"]),
                columns={column["name"]: column["type"] for column in value["columns"]},
                fingerprint=str(value["fingerprint"]),
                history=tuple(map(HistoryEntry.from_json, value["history"])),
                format_version=version,
            )
        except (ValueError, TypeError, KeyError, AttributeError) as error:
            raise StorageError(
                f"{source}: not the manifest of a dataset of kfp-sdg "
                f"({type(error).__name__}: {error})"
            ) from None


def _fields(entry: HistoryEntry) -> dict[str, Any]:
    return {f.name: getattr(entry, f.name) for f in dataclasses.fields(entry)}
