"""The scripts around the images, where they have to say no."""

from __future__ import annotations

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from types import ModuleType

ROOT = Path(__file__).parents[2]


def script(
    *command: str | Path, path: str = "/usr/bin:/bin", **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        command, check=False, capture_output=True, text=True, env={"PATH": path, **environment}
    )


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """A PATH with what scripts need and nothing that runs containers."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("bash", "dirname", "sh"):
        (folder / name).symlink_to(f"/usr/bin/{name}")
    return folder


def test_where_nothing_runs_containers_it_is_said_what_to_do(
    programs: Path, tmp_path: Path
) -> None:
    done = script(ROOT / "images/tool.sh", path=str(programs), KFP_SDG_CONTAINERS=str(tmp_path))
    assert done.returncode == 3
    assert "Neither podman nor docker works here" in done.stderr
    assert "images/podman/bootstrap.sh" in done.stderr


@pytest.mark.parametrize("works", ["podman", "docker"])
def test_the_tool_that_works_is_taken(programs: Path, tmp_path: Path, works: str) -> None:
    for name in ("podman", "docker"):
        (programs / name).write_text(f"#!/bin/sh\n[ {name} = {works} ]\n")
        (programs / name).chmod(0o755)
    done = script(ROOT / "images/tool.sh", path=str(programs), KFP_SDG_CONTAINERS=str(tmp_path))
    assert (done.returncode, done.stdout.strip()) == (0, works)


def test_podman_that_was_prepared_comes_before_any_other(programs: Path, tmp_path: Path) -> None:
    (tmp_path / "containers.conf").touch()
    done = script(ROOT / "images/tool.sh", path=str(programs), KFP_SDG_CONTAINERS=str(tmp_path))
    assert Path(done.stdout.strip()) == ROOT / "images/podman/podman"
    named = script(ROOT / "images/tool.sh", CONTAINER_TOOL="mine", KFP_SDG_CONTAINERS=str(tmp_path))
    assert named.stdout.strip() == "mine"


def test_an_image_that_is_none_of_ours_is_refused() -> None:
    done = script(ROOT / "images/build.sh", "runtme", CONTAINER_TOOL="true")
    assert done.returncode == 2
    assert "no image 'runtme'; there are runtime, taxonomy and bundle" in done.stderr


def test_the_bootstrap_says_that_it_needs_root(tmp_path: Path) -> None:
    command: list[str | Path] = [ROOT / "images/podman/bootstrap.sh"]
    if os.getuid() == 0:
        tmp_path.chmod(0o777)
        command = ["setpriv", "--reuid=65534", "--clear-groups", "bash", *command]
    done = script(*command, KFP_SDG_CONTAINERS=str(tmp_path))
    assert done.returncode == 3
    assert "cannot run here: this needs root" in done.stderr


@pytest.mark.skipif(os.getuid() != 0, reason="the bootstrap needs root")
@pytest.mark.parametrize(("fails", "said"), [("run", "run failed"), ("info", "does not start")])
def test_where_containers_cannot_run_the_bootstrap_says_why(
    tmp_path: Path, fails: str, said: str
) -> None:
    stubs = tmp_path / "bin"
    stubs.mkdir()
    for name in ("docker", "mmdebstrap", "podman", "runc", "skopeo"):
        refuses = f"[ $1 != {fails} ] || {{ echo 'runc: operation not permitted' >&2; exit 126; }}"
        (stubs / name).write_text(f"#!/bin/sh\n{refuses if name == 'podman' else ''}\n")
        (stubs / name).chmod(0o755)
    done = script(
        ROOT / "images/podman/bootstrap.sh",
        path=f"{stubs}:/usr/bin:/bin",
        KFP_SDG_CONTAINERS=str(tmp_path / "containers"),
    )
    assert done.returncode == 3
    assert f"cannot run here: podman {said}: runc: operation not permitted" in done.stderr
    assert ("making localhost/" in done.stderr) == (fails == "run")  # which takes minutes


@pytest.fixture
def audit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """images/audit.py with a pip-audit that answers as the real one did."""
    specification = importlib.util.spec_from_file_location("audit", ROOT / "images/audit.py")
    assert specification is not None
    assert specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    program = tmp_path / "bin" / "pip-audit"
    program.parent.mkdir()
    program.write_text(
        f"#!{sys.executable}\n"
        "import json, pathlib, sys\n"
        "options = dict(zip(sys.argv[1:], sys.argv[2:]))\n"
        f"answer = pathlib.Path({str(tmp_path)!r}, options['--vulnerability-service'])\n"
        "if not answer.exists():\n"
        "    sys.exit('requests.exceptions.ConnectionError: Failed to resolve')\n"
        "known = json.loads(answer.read_text())\n"
        "packages = []\n"
        "for line in open(options['--requirement']):\n"
        "    name, version = line.strip().split('==')\n"
        "    packages.append({'name': name, 'version': version, 'vulns': [], **known.get(name, "
        "known.get('*', {}))})\n"
        "pathlib.Path(options['--output']).write_text(json.dumps({'dependencies': packages}))\n"
        "sys.exit(any(package['vulns'] for package in packages))\n"
    )
    program.chmod(0o755)
    monkeypatch.setattr(module, "_FOLDER", tmp_path)
    monkeypatch.delenv("OSV_URL", raising=False)
    return module


def knows(folder: Path, service: str, answers: dict[str, Any]) -> None:
    (folder / service).write_text(json.dumps(answers))


def test_an_audit_without_a_database_says_that_it_is_none(
    audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    # an index that mirrors packages knows nothing, which pip-audit calls "no known vulnerabilities"
    knows(tmp_path, "pypi", {"*": {"skip_reason": "Dependency not found on PyPI"}})
    assert audit.main() == 0
    told = capsys.readouterr().out
    assert "NOT AUDITED: no database of vulnerabilities can be reached" in told
    assert "pypi: cannot be asked (it knows no package of ours)" in told
    assert "osv: cannot be asked (requests.exceptions.ConnectionError" in told


def test_a_known_vulnerability_fails_the_audit(
    audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"id": "PYSEC-1", "aliases": ["CVE-1"], "fix_versions": ["99.0"]}
    knows(tmp_path, "osv", {"xxhash": {"vulns": [known]}})
    assert audit.main() == 1
    told = capsys.readouterr().out
    assert ": PYSEC-1, CVE-1; mended in 99.0" in told
    assert told.endswith("versions audited, 1 with known vulnerabilities\n")


def test_both_versions_that_a_lock_pins_are_audited(
    audit: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    known = {"id": "PYSEC-2", "aliases": [], "fix_versions": []}
    knows(tmp_path, "pypi", {"numpy": {"vulns": [known]}})
    assert audit.main() == 1
    assert capsys.readouterr().out.count("PYSEC-2; mended in no version") == 2
