"""Parsers: an answer's text becomes rows, and nothing that was in it is lost without a word."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from kfp_sdg.prompts.template import PromptError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

PATTERN_SECONDS = 1.0
"""Longest time that a pattern of the user's may take over one answer."""


@dataclass(frozen=True, slots=True)
class Parsed:
    """What a parser found in one answer.

    Attributes:
        rows: Column → value, one mapping per complete row.
        failure: What could not be used, one phrase; None when everything was. Never None without
            rows.
    """

    rows: tuple[Mapping[str, str], ...]
    failure: str | None = None


class Parser(Protocol):
    """Something that turns an answer into rows."""

    def parse(self, text: str) -> Parsed:
        """Return the rows of an answer and what is wrong with it."""


class TagParser:
    """The parser for the tags of a prompt config.

    A column's values stand between its start tag and its end tag. Without an end tag a value runs
    to the next start tag of any column or to the end of the answer; without either the whole answer
    is the value. The i-th values of all columns make a row. Values are stripped.
    """

    def __init__(
        self, columns: Sequence[str], start_tags: Sequence[str], end_tags: Sequence[str]
    ) -> None:
        """Pair tags with columns; tags beyond the columns are not used.

        Args:
            columns: The output columns.
            start_tags: The start tag of each column, "" for none.
            end_tags: The end tag of each column, "" for none.

        Raises:
            PromptError: A column has no tags.
        """
        pairs = list(zip(start_tags, end_tags, strict=False))
        if len(pairs) < len(columns):
            raise PromptError(
                f"output_cols has {len(columns)} columns ({', '.join(columns)}), but there are "
                f"{len(pairs)} pairs of start_tags and end_tags; give one pair for each column, "
                "or parser_kwargs with parser_name: custom and a parsing_pattern"
            )
        self._tags = dict(zip(columns, pairs, strict=False))
        starts = "|".join(re.escape(start) for start, _ in self._tags.values() if start)
        self._patterns = {
            column: re.compile(
                re.escape(start) + "(.*?)" + (re.escape(end) or f"(?={starts}|\\Z)"), re.DOTALL
            )
            for column, (start, end) in self._tags.items()
            if start or end
        }

    def parse(self, text: str) -> Parsed:
        """Return the rows of an answer and what is wrong with it."""
        text = text.strip()
        if not text:
            return Parsed((), "the answer is empty")
        values: dict[str, list[str]] = {}
        unfinished: list[str] = []
        for column, (start, _) in self._tags.items():
            if column not in self._patterns:
                values[column] = [text]
                continue
            matches = list(self._patterns[column].finditer(text))
            values[column] = [match[1].strip() for match in matches]
            if start and text.find(start, matches[-1].end() if matches else 0) >= 0:
                unfinished.append(column)
        return _rows(values, self._missing, unfinished)

    def _missing(self, column: str) -> str:
        start, end = self._tags[column]
        return f"nothing for {column!r} between {start!r} and {end!r}"


class PatternParser:
    """The parser for a pattern of the user's: each match is a row, each group a column.

    Cleanup tags are removed from every value, which is then stripped. A match that leaves no text
    at all is no row.
    """

    def __init__(
        self, columns: Sequence[str], pattern: str, cleanup_tags: Sequence[str] = ()
    ) -> None:
        """Compile the pattern.

        Args:
            columns: The output columns, in the order of the pattern's groups.
            pattern: A regular expression; a dot also matches a line break. Without groups the whole
                match is the value.
            cleanup_tags: Texts to remove from values.

        Raises:
            PromptError: The pattern is not valid or has fewer groups than there are columns.
        """
        import regex  # few pipelines have a pattern of their own

        try:
            self._pattern = regex.compile(pattern, regex.DOTALL)
        except regex.error as error:
            raise PromptError(f"parsing_pattern is not a regular expression: {error}") from error
        groups = max(self._pattern.groups, 1)
        if groups < len(columns):
            raise PromptError(
                f"parsing_pattern has {self._pattern.groups} groups for {len(columns)} output_cols "
                f"({', '.join(columns)}); give it one group for each column"
            )
        self._columns = tuple(columns)
        self._cleanup_tags = tuple(cleanup_tags)

    def parse(self, text: str) -> Parsed:
        """Return the rows of an answer and what is wrong with it."""
        rows = []
        try:
            for match in self._pattern.finditer(text, timeout=PATTERN_SECONDS):
                found = match.groups("") or (match[0],)
                row = {c: self._clean(v) for c, v in zip(self._columns, found, strict=False)}
                if any(row.values()):
                    rows.append(row)
        except TimeoutError:
            return Parsed(
                tuple(rows), f"parsing_pattern took more than {PATTERN_SECONDS:g} s on this answer"
            )
        return Parsed(tuple(rows), None if rows else "parsing_pattern matches nothing in it")

    def _clean(self, value: str) -> str:
        for tag in self._cleanup_tags:
            value = value.replace(tag, "")
        return value.strip()


def _rows(
    values: Mapping[str, Sequence[str]],
    missing: Callable[[str], str],
    unfinished: Sequence[str],
) -> Parsed:
    """Put the i-th values of all columns together and say what is left over."""
    absent = [missing(column) for column, found in values.items() if not found]
    if absent:
        return Parsed((), "; ".join(absent))
    rows = tuple(dict(zip(values, row, strict=True)) for row in zip(*values.values(), strict=False))
    counts = {column: len(found) for column, found in values.items()}
    if len(set(counts.values())) > 1:
        told = ", ".join(f"{count} for {column!r}" for column, count in counts.items())
        return Parsed(rows, f"unequal numbers of values: {told}; {len(rows)} rows were complete")
    if unfinished:
        told = ", ".join(map(repr, unfinished))
        return Parsed(rows, f"after {len(rows)} rows a start tag for {told} has no end tag")
    return Parsed(rows)
