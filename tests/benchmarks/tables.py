"""Tables on the screen and, for machines, the same figures as JSON."""

from __future__ import annotations

import json
import os
import platform
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def machine() -> dict[str, Any]:
    """Return what the figures were measured on."""
    model = platform.processor() or platform.machine()
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        names = [line for line in cpuinfo.read_text().splitlines() if line.startswith("model name")]
        model = names[0].partition(":")[2].strip() if names else model
    return {
        "processor": model,
        "cores": os.cpu_count(),
        "load": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
    }


@dataclass
class Report:
    """Collects sections; each is printed when it is done.

    Attributes:
        console: Where tables and notes are printed.
        sections: Title → the figures of its rows, unrounded.
    """

    console: Console = field(default_factory=lambda: Console(width=max(Console().width, 120)))
    sections: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    def say(self, text: str) -> None:
        """Print a line of progress."""
        self.console.print(f"[dim]{escape(text)}[/dim]", highlight=False)

    def warn(self, text: str) -> None:
        """Print what is wrong with a figure."""
        self.console.print(f"[yellow]{escape(text)}[/yellow]", highlight=False)

    def add(
        self,
        title: str,
        columns: Sequence[str],
        cells: Sequence[Sequence[str]],
        figures: Sequence[Mapping[str, Any]],
        note: str = "",
    ) -> None:
        """Print a table, first column left, the others right, and keep its figures.

        Args:
            title: The section's name.
            columns: Heads of the columns.
            cells: The rows as they are printed.
            figures: The rows as they are kept for JSON.
            note: A sentence below the table.
        """
        table = Table(title=title, title_justify="left", caption=note or None)
        table.caption_justify = "left"
        for place, name in enumerate(columns):
            table.add_column(name, justify="right" if place else "left", no_wrap=not place)
        for row in cells:
            table.add_row(*map(escape, row))
        self.console.print(table)
        self.sections.setdefault(title, []).extend(figures)

    def write(self, file: Path, about: Mapping[str, Any]) -> None:
        """Write everything as JSON."""
        content = {"machine": about, "sections": self.sections}
        file.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
