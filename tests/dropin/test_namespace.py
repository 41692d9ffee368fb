"""``instructlab`` is a namespace of several distributions: ours stands beside the others.

Each test makes a virtual environment whose ``site-packages`` holds what an installation puts there,
and looks from a process of that environment.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import sysconfig
import tomllib
from pathlib import Path

import pytest

OURS = Path(__file__).parents[2] / "sdk" / "instructlab-sdg"
PROJECT = tomllib.loads((OURS / "pyproject.toml").read_text())
HERE = Path(sysconfig.get_path("purelib"))

CORE = '__path__ = __import__("pkgutil").extend_path(__path__, __name__)\n'
"""What ``instructlab/__init__.py`` of the client consists of."""

LOOK = """
import sys
import instructlab.sdg, instructlab.sdg.pipeline, instructlab.schema.taxonomy
from importlib import resources
from kfp_sdg.blocks import BlockRegistry
assert instructlab.sdg.BlockRegistry is BlockRegistry
assert resources.files(instructlab.sdg.FULL_PIPELINES_PACKAGE).joinpath("knowledge.yaml").is_file()
print(instructlab.sdg.__file__)
"""


class Environment:
    """A virtual environment, with the packages of this one behind its own."""

    def __init__(self, folder: Path) -> None:
        subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(folder)], check=True)
        self.python = folder / "bin" / "python"
        version = f"python{sys.version_info.major}.{sys.version_info.minor}"
        self.packages = folder / "lib" / version / "site-packages"
        behind = f"import site; site.addsitedir({str(HERE)!r})\n"
        (self.packages / "zz_behind.pth").write_text(behind)

    def install_client(self) -> None:
        (self.packages / "instructlab" / "cli").mkdir(parents=True)
        (self.packages / "instructlab" / "__init__.py").write_text(CORE)
        (self.packages / "instructlab" / "cli" / "__init__.py").write_text("name = 'ilab'\n")

    def install_schema(self) -> None:
        import instructlab.schema as schema

        place = self.packages / "instructlab" / "schema"
        shutil.copytree(Path(schema.__file__).parent, place)

    def install_ours(self, how: str) -> dict[str, str]:
        """Install this distribution, and return what of the environment's variables it takes."""
        if how == "normal":
            ignored = shutil.ignore_patterns("__pycache__")
            place = self.packages / "instructlab" / "sdg"
            shutil.copytree(OURS / "instructlab" / "sdg", place, ignore=ignored)
        elif how == "editable":
            (self.packages / "__editable__.instructlab_sdg.pth").write_text(f"{OURS}\n")
        return {"PYTHONPATH": str(OURS)} if how == "PYTHONPATH" else {}

    def install_original(self) -> Path:
        place = self.packages / "instructlab" / "sdg"
        place.mkdir(parents=True)
        (place / "__init__.py").write_text("")
        metadata = self.packages / "instructlab_sdg-0.8.1.dist-info"
        metadata.mkdir()
        (metadata / "METADATA").write_text(
            "Metadata-Version: 2.1\nName: instructlab-sdg\nVersion: 0.8.1\n"
        )
        return place

    def run(self, code: str, variables: dict[str, str]) -> subprocess.CompletedProcess[str]:
        done = subprocess.run(
            [str(self.python), "-c", code],
            env={"PATH": "/usr/bin:/bin", "HOME": "/nonexistent", **variables},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done


@pytest.fixture
def environment(tmp_path) -> Environment:
    return Environment(tmp_path / "venv")


@pytest.mark.parametrize("how", ["normal", "editable", "PYTHONPATH"])
@pytest.mark.parametrize("others", ["nothing", "client", "schema", "client and schema"])
def test_ours_is_imported_beside_the_others_and_in_silence(environment, others, how):
    if "client" in others:
        environment.install_client()
    if "schema" in others:
        environment.install_schema()
    variables = environment.install_ours(how)
    code = LOOK
    if "client" in others:
        code += "import instructlab.cli; assert instructlab.cli.name == 'ilab'\n"
    done = environment.run(code, variables)
    place = environment.packages if how == "normal" else OURS
    assert done.stdout.strip() == str(place / "instructlab" / "sdg" / "__init__.py")
    assert done.stderr == ""


def test_the_schema_alone_is_still_found_without_ours(environment):
    environment.install_schema()
    environment.run("import kfp_sdg, instructlab.schema.taxonomy", {})


def test_no_file_of_ours_is_in_the_namespace_itself():
    assert [
        path.name for path in (OURS / "instructlab").iterdir() if path.name != "__pycache__"
    ] == ["sdg"]
    packages = tomllib.loads((OURS / "pyproject.toml").read_text())["tool"]["setuptools"][
        "packages"
    ]
    folders = {path.parent for path in OURS.glob("instructlab/**/*.py")}
    assert sorted(packages) == sorted(".".join(f.relative_to(OURS).parts) for f in folders)


def test_the_original_beside_ours_is_told_once_with_both_places(environment):
    original = environment.install_original()
    variables = environment.install_ours("PYTHONPATH")
    done = environment.run(LOOK, variables)
    lines = done.stderr.splitlines()
    assert len(lines) == 1
    assert "the one of kfp-sdg" in lines[0]
    assert f"version 0.8.1 in {original}" in lines[0]
    assert str(OURS / "instructlab" / "sdg") in lines[0]
    assert "0.8.3+kfp.sdg." in lines[0]


def test_the_version_says_whose_it_is_and_satisfies_the_client():
    from packaging.requirements import Requirement

    import instructlab.sdg
    import kfp_sdg

    version = instructlab.sdg.__version__
    assert version.endswith(f"+kfp.sdg.{kfp_sdg.__version__}")
    assert Requirement("instructlab-sdg<0.9.0,>=0.8.2").specifier.contains(version)
    assert PROJECT["project"]["name"] == "instructlab-sdg"
