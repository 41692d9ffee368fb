"""Look up the known vulnerabilities of every version in our locks, with pip-audit: ``make audit``.

The database is asked for one package first. pip-audit says "No known vulnerabilities found" also
where it could look nothing up: an index that mirrors packages answers its question with 404.

``OSV_URL`` names an OSV API to ask, ``http://osv.example.com/v1/query``; without it the Python
package index is asked, then OSV's own. Exit status: 0 nothing is known, or no database can be
reached, which is said; 1 something is known, which is listed.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
import venv
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = (
    ".ci/requirements.lock",
    "images/build.lock",
    "images/runtime/requirements.lock",
    "images/taxonomy/requirements.lock",
)
_TOOL = "pip-audit==2.10.1"
_FOLDER = ROOT / "build" / "audit"
_PIN = re.compile(r"^([a-z0-9._-]+)==([^\s;\\]+)", re.MULTILINE)


def main() -> int:
    """Print what is known; return the exit status."""
    pins = sorted({pin for lock in LOCKS for pin in _PIN.findall((ROOT / lock).read_text())})
    _install()
    for service in _services():
        probe, why = _ask(pins[:1], service)
        if probe and not _skipped(probe):
            break
        print(f"{service[1]}: cannot be asked ({why or 'it knows no package of ours'})")
    else:
        print("NOT AUDITED: no database of vulnerabilities can be reached from here")
        return 0
    # A lock may pin two versions, for two versions of Python; pip-audit takes one at a time.
    rounds: list[dict[str, str]] = []
    for name, version in pins:
        place = next((pinned for pinned in rounds if name not in pinned), None)
        if place is None:
            rounds.append(place := {})
        place[name] = version
    found: list[dict[str, Any]] = []
    for pinned in rounds:
        audited, why = _ask(sorted(pinned.items()), service)
        if not audited:
            print(f"NOT AUDITED: {service[1]} stopped answering ({why})")
            return 0
        found += audited
    return _report(found)


def _report(found: list[dict[str, Any]]) -> int:
    """Print what is known of each package; return the exit status."""
    bad = [package for package in found if package.get("vulns")]
    for package in bad:
        for known in package["vulns"]:
            names = ", ".join([known["id"], *known.get("aliases", [])])
            mended = ", ".join(known["fix_versions"]) or "no version"
            print(f"{package['name']} {package['version']}: {names}; mended in {mended}")
    for package in _skipped(found):
        print(f"{package['name']}: not audited ({package['skip_reason']})")
    print(f"{len(found)} versions audited, {len(bad)} with known vulnerabilities")
    return 1 if bad else 0


def _skipped(found: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [package for package in found if "skip_reason" in package]


def _services() -> list[tuple[str, ...]]:
    """Return pip-audit's options for each database to try."""
    own = os.environ.get("OSV_URL", "").strip()
    if own:
        return [("--vulnerability-service", "osv", "--osv-url", own)]
    return [("--vulnerability-service", "pypi"), ("--vulnerability-service", "osv")]


def _install() -> None:
    """Install pip-audit into a virtual environment of its own, once."""
    if (_FOLDER / "bin" / "pip-audit").exists():
        return
    venv.create(_FOLDER, with_pip=True, clear=True)
    subprocess.run([_FOLDER / "bin" / "pip", "install", "--quiet", _TOOL], check=True)


def _ask(pins: list[tuple[str, str]], service: tuple[str, ...]) -> tuple[list[dict[str, Any]], str]:
    """Return what pip-audit finds about packages, or nothing and why."""
    with tempfile.TemporaryDirectory(prefix="kfp-sdg-audit-") as scratch:
        lock, found = Path(scratch, "requirements.txt"), Path(scratch, "found.json")
        lock.write_text("".join(f"{name}=={version}\n" for name, version in pins))
        command: list[str | Path] = [
            _FOLDER / "bin" / "pip-audit",
            "--progress-spinner",
            "off",
            "--timeout",
            "20",
        ]
        command += ["--no-deps", "--disable-pip", "--requirement", lock, "--format", "json"]
        done = subprocess.run(
            [*command, "--output", found, *service], check=False, capture_output=True, text=True
        )
        if not found.exists():
            return [], (done.stderr.strip().splitlines() or ["it says nothing"])[-1]
        packages: list[dict[str, Any]] = json.loads(found.read_text())["dependencies"]
        return packages, ""


if __name__ == "__main__":
    sys.exit(main())
