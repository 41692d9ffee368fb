"""Runs inside an image, under OpenShift's rules, and prints what it finds as JSON.

Its argument is JSON: which names to import from which modules, and which modules nothing may miss.
"""

import importlib
import importlib.util
import json
import os
import shutil
import stat
import sys
import tempfile
from pathlib import Path

COMPILERS = ("gcc", "cc", "g++", "clang", "make", "ld", "as", "cargo", "strip", "pip", "pip3")
NOT_FOR_TASKS = tuple(
    f"kfp_sdg.{package}." for package in ("cluster", "compiler", "components", "pipelines")
)
"""What only those need who compile pipelines: it may miss what the images leave out."""

os.environ["_KFP_RUNTIME"] = "true"


def importable(names: list[list[str]]) -> list[str]:
    """Return what cannot be imported of modules and names in them."""
    missing = []
    for module, name in names:
        try:
            getattr(importlib.import_module(module), name)
        except (ImportError, AttributeError) as error:
            missing.append(f"{module}.{name}: {error}")
    return missing


def broken_modules(site: Path) -> list[str]:
    """Return the modules of ours that cannot be imported, and what they miss."""
    found = []
    for file in sorted(site.glob("kfp_sdg/**/*.py")):
        name = ".".join(file.relative_to(site).with_suffix("").parts).removesuffix(".__init__")
        if name.endswith("__main__") or name.startswith(
            ("kfp_sdg.components.", "kfp_sdg.pipelines.")
        ):
            continue  # components are imported by KFP's compiler, never by a task
        try:
            importlib.import_module(name)
        except ImportError as error:
            found.append(f"{name} misses {error.name}")
    return found


def uncompiled(site: Path) -> list[str]:
    """Return the modules that a start would have to compile."""
    return [
        str(file.relative_to(site))
        for file in site.rglob("*.py")
        if not Path(importlib.util.cache_from_source(str(file))).is_file()
    ]


def commands() -> list[str]:
    """Return the commands beside Python's own."""
    beside = Path(sys.executable).parent.iterdir()
    return sorted(file.name for file in beside if not file.is_symlink())


def written_mode() -> str:
    """Return the rights of a file that is written with Python's own."""
    with tempfile.TemporaryDirectory() as scratch:
        file = Path(scratch, "file")
        file.write_text("text")
        return oct(stat.S_IMODE(file.stat().st_mode))


def main() -> None:
    """Print what is here."""
    asked = json.loads(sys.argv[1])
    site = next(Path(place) for place in sys.path if place.endswith("site-packages"))
    seen = {
        "uid": os.getuid(),
        "gid": os.getgid(),
        "home": os.environ["HOME"],
        "rights": written_mode(),
        "compilers": [name for name in COMPILERS if shutil.which(name)],
        "commands": commands(),
        "environment": sorted(os.environ),
        "missing": importable(asked["imports"]),
        "broken": broken_modules(site) if asked["all"] else [],
        "uncompiled": uncompiled(site),
        "interpreter": sys.executable,
    }
    print(json.dumps(seen))


main()
