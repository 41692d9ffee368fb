"""What every driver shares: its arguments, the flow to run, and the proof that it did.

A driver is a script that runs one flow on one system, in the folder where ``flows.write`` left it:

    python sdg_hub_driver.py --url http://127.0.0.1:8000/v1 --flow B --set concurrency=128

Its last line of output says how many rows came out. It needs nothing of kfp-sdg, because it runs in
an environment where that is not installed.
"""

from __future__ import annotations

import argparse
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

MODEL = "stub"
KEEP = 2.0  # the score that flow B's filter lets pass


@dataclass(frozen=True)
class Order:
    """What a driver is to do.

    Attributes:
        url: The server's base URL, with /v1.
        judged: Whether it is flow B.
        checkpoint: The folder for what the system keeps to resume from; None: keeps nothing.
        settings: The system's own settings, by name.
        prompts: Of each request its template, tags, outputs, max_tokens and n; see flows.write.
        rows: The input.
    """

    url: str
    judged: bool
    checkpoint: Path | None
    settings: Mapping[str, str]
    prompts: Mapping[str, Mapping[str, Any]]
    rows: list[dict[str, Any]]

    def number(self, name: str, default: int) -> int:
        """Return a setting."""
        return int(self.settings.get(name, default))


def read_order() -> Order:
    """Read the arguments, and the flow in this folder."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--url", required=True)
    parser.add_argument("--flow", choices=("A", "B"), required=True)
    parser.add_argument("--checkpoint", type=Path)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE")
    options = parser.parse_args()
    lines = Path("rows.jsonl").read_text(encoding="utf-8").splitlines()
    return Order(
        url=options.url,
        judged=options.flow == "B",
        checkpoint=options.checkpoint,
        settings=dict(setting.split("=", 1) for setting in options.set),
        prompts=json.loads(Path("flow.json").read_text(encoding="utf-8")),
        rows=[json.loads(line) for line in lines],
    )


def parts(prompt: Mapping[str, Any], text: str) -> dict[str, str]:
    """Return what stands between the tags of an answer, by output column.

    Raises:
        ValueError: a tag is missing.
    """
    result = {}
    for start, end, name in zip(
        prompt["start_tags"], prompt["end_tags"], prompt["outputs"], strict=True
    ):
        found = re.search(re.escape(start) + r"\s*(.*?)\s*" + re.escape(end), text, re.DOTALL)
        if found is None:
            raise ValueError(f"no {start} in the answer {text!r}")
        result[name] = found[1]
    return result


def report(rows: Iterable[Mapping[str, Any]]) -> None:
    """Check that every row has a question and an answer; print how many there are.

    Raises:
        ValueError: a row lacks one.
    """
    count = 0
    for row in rows:
        if not row["question"] or not row["answer"]:
            raise ValueError(f"a row without question or answer: {row}")
        count += 1
    print(json.dumps({"rows": count}), flush=True)
