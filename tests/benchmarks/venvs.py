"""Each peer in an environment of its own, made once under ``build/bench-venvs``."""

from __future__ import annotations

import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

FOLDER = Path(__file__).parents[2] / "build" / "bench-venvs"
_MARK = ".installed"


class InstallError(Exception):
    """A peer could not be installed; the text says why, in one line."""


@dataclass(frozen=True)
class Peer:
    """A system that is installed to be measured.

    Attributes:
        name: Its name on the package index.
        attempts: What to install; each further list is tried where the one before it fails.
        driver: Its script in the folder ``peers``.
    """

    name: str
    attempts: Sequence[Sequence[str]]
    driver: str

    def install(self) -> tuple[Path, str]:
        """Make the environment, unless it is there.

        Returns:
            Its Python, and the requirements that are installed, as pip has them.

        Raises:
            InstallError: pip could not install any of the attempts.
        """
        place = FOLDER / self.name
        mark, python = place / _MARK, place / "bin" / "python"
        wanted = [" ".join(attempt) for attempt in self.attempts]
        if mark.exists() and mark.read_text(encoding="utf-8") in wanted:
            return python, mark.read_text(encoding="utf-8")
        shutil.rmtree(place, ignore_errors=True)
        place.parent.mkdir(parents=True, exist_ok=True)
        _run([sys.executable, "-m", "venv", str(place)])
        why = ""
        for attempt in self.attempts:
            command = [str(python), "-m", "pip", "install", "--quiet", *attempt]
            try:
                _run([*command, "--disable-pip-version-check"])
            except InstallError as error:
                why = str(error)
            else:
                mark.write_text(" ".join(attempt), encoding="utf-8")
                return python, " ".join(attempt)
        raise InstallError(why)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        errors = [line for line in done.stderr.splitlines() if line.startswith("ERROR")]
        raise InstallError((errors or ["pip failed without a word"])[-1])


PEERS = (
    Peer(
        "instructlab-sdg",
        # Newer versions of datasets make it hang in forks whatever it is told.
        (("instructlab-sdg==0.8.3", "datasets==3.6.0"),),
        "instructlab_driver.py",
    ),
    Peer("sdg-hub", (("sdg-hub==0.9.4",),), "sdg_hub_driver.py"),
    # It imports requests, which nothing that it asks for brings along any more.
    Peer("distilabel", (("distilabel[openai]==1.5.3", "requests"),), "distilabel_driver.py"),
    # 0.9.7 asks for a certifi so new that not every index has it.
    Peer(
        "data-designer",
        (("data-designer==0.9.7",), ("data-designer==0.9.6",)),
        "data_designer_driver.py",
    ),
)
