"""The lines of a PDF as Markdown, where no model says what its layout means.

A PDF has no paragraphs or headings, only lines in places. What belongs together is guessed: lines
close below each other are a paragraph, larger letters are a heading, and what stands at the top or
bottom of most pages is not part of the text. Tables come out as lines.
"""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import dataclass, replace
from itertools import groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_HEADING = 1.15
"""A line so many times as large as the text is a heading."""

_TITLE = 1.7
"""A heading so many times as large as the text is of the first level."""

_LONGEST_HEADING = 15
"""In words; longer ones are text in large letters."""

_PARAGRAPH = 0.7
"""So much space between two lines, in heights of a line, begins a paragraph."""

_BELOW_THE_LINE = re.compile(r"[gjpqyQ,;()\[\]{}|/\\@$_§]")
_WITH_THOSE_BELOW = 1.28
"""A line with letters below the line is about so many times as high as one without."""

_HYPHEN = "\x02"
"""How PDFium gives the hyphen of a word that goes on in the next line."""

_NUMBER = "\0"
"""What stands for a page's number when pages are compared."""

_BULLETS = "•◦‣▪●○∙·–-*"


@dataclass(frozen=True, slots=True)
class PdfLine:
    """A line of text on a page, or a part of one.

    Attributes:
        page: The page, counted from 1.
        left: Its left edge.
        bottom: Its bottom, counted from the bottom of the page.
        top: Its top.
        text: What it says.
    """

    page: int
    left: float
    bottom: float
    top: float
    text: str

    @property
    def height(self) -> float:
        """How high it is, from the lowest to the highest point of its letters."""
        return self.top - self.bottom

    @property
    def size(self) -> float:
        """How high it would be with letters of all heights, which goes with the font's size."""
        return self.height * (1 if _BELOW_THE_LINE.search(self.text) else _WITH_THOSE_BELOW)

    def is_beside(self, other: PdfLine) -> bool:
        """Tell whether another one is on the same line of the same page."""
        if self.page != other.page:
            return False
        overlap = min(self.top, other.top) - max(self.bottom, other.bottom)
        return overlap > min(self.height, other.height) / 2


def lines_to_markdown(parts: Iterable[PdfLine]) -> str:
    """Return a document's lines as Markdown.

    Args:
        parts: The lines in reading order, page after page.
    """
    lines = _without_running_titles(_joined(parts))
    usual = _usual_size(lines)
    paragraphs: list[str] = []
    before: PdfLine | None = None
    level_before = 0
    for line in lines:
        level = _heading_level(line, usual)
        item = _as_item(line.text)
        if before and level == level_before and not item and _goes_on(before, line, usual, level):
            paragraphs[-1] = _continued(paragraphs[-1], line.text)
        else:
            paragraphs.append(f"{'#' * level} {line.text}" if level else item or _plain(line.text))
        before, level_before = line, level
    return "\n\n".join(paragraphs)


def _joined(parts: Iterable[PdfLine]) -> list[PdfLine]:
    """Join parts that are on one line, as a bullet and what comes after it."""
    lines: list[PdfLine] = []
    for part in parts:
        text = " ".join(part.text.replace(_HYPHEN, "-").split())
        if not text:
            continue
        last = lines[-1] if lines else None
        if last and part.is_beside(last) and part.left > last.left:
            lines[-1] = replace(
                last,
                text=f"{last.text} {text}",
                bottom=min(last.bottom, part.bottom),
                top=max(last.top, part.top),
            )
        else:
            lines.append(replace(part, text=text))
    return lines


def _without_running_titles(lines: Sequence[PdfLine]) -> list[PdfLine]:
    """Leave out page numbers, and titles at the top or bottom of most pages but for the first."""
    pages = [list(page) for _, page in groupby(lines, key=lambda line: line.page)]
    if len(pages) < 3:
        return list(lines)
    edges = Counter(sign for page in pages for sign in {_sign(page[0]), _sign(page[-1])})
    running = {sign for sign, times in edges.items() if times * 2 > len(pages) or times > 10}
    seen: set[str] = set()
    kept: list[PdfLine] = []
    for page in pages:
        for number, line in enumerate(page):
            sign = _sign(line)
            if number in (0, len(page) - 1) and sign in running:
                again = sign in seen or _NUMBER in sign
                seen.add(sign)
                if again:
                    continue
            kept.append(line)
    return kept


def _sign(line: PdfLine) -> str:
    """Return what a running title has in common on all pages: its number differs."""
    return re.sub(r"\d+|\b[ivxlc]+\b", _NUMBER, line.text)


def _usual_size(lines: Sequence[PdfLine]) -> float:
    """Return the size of most of the text."""
    sizes: Counter[float] = Counter()
    for line in lines:
        sizes[round(line.size * 2) / 2] += len(line.text)
    return max(sizes, key=lambda size: (sizes[size], size)) if sizes else 0.0


def _heading_level(line: PdfLine, usual: float) -> int:
    """Return the level of a heading, or 0 for other text.

    What a heading's number says of its level is surer than its size.
    """
    words = len(line.text.split())
    if line.size <= usual * _HEADING or words > _LONGEST_HEADING:
        return 0
    if not re.search(r"[^\W\d_]{2}", line.text):
        return 0
    if number := re.match(r"(?:\d+\.)*\d+(?=[.\s])", line.text):
        return min(number[0].count(".") + 1, 6)
    return 1 if line.size > usual * _TITLE else 2


def _goes_on(before: PdfLine, line: PdfLine, usual: float, level: int) -> bool:
    """Tell whether a line goes on with the paragraph or heading of the line before it."""
    if before.page != line.page:
        return not level and line.text[:1].islower() and before.text[-1:] not in ".!?:"
    gap = before.bottom - line.top
    return -usual < gap < max(usual, line.height) * _PARAGRAPH


def _as_item(text: str) -> str | None:
    """Return a line that begins with a bullet as an item of a list."""
    bullet, _, rest = text.partition(" ")
    return f"- {rest}" if bullet in _BULLETS and rest else None


def _plain(text: str) -> str:
    """Return a line that Markdown does not take for a heading."""
    return f"\\{text}" if re.match(r"#{1,6}(\s|$)", text) else text


def _continued(text: str, more: str) -> str:
    """Join two lines; a word that was cut at the line's end is put together."""
    if re.search(r"[^\W\d_]-$", text) and more[:1].islower():
        return text[:-1] + more
    return f"{text} {more}"
