"""Bring what is derived in the component folders up to date.

``python -m kfp_sdg.components.build`` writes the image into each ``component.py`` and compiles the
``component.yaml`` beside it.
"""

from __future__ import annotations

import importlib
import re
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from kfp_sdg.components.image import component_image

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kfp.dsl.base_component import BaseComponent

ROOT = Path(__file__).parent
_BASE_IMAGE = re.compile(r'base_image="[^"]*"')
_SDK_VERSION = re.compile(r"^sdkVersion: .*\n", re.MULTILINE)


def component_folders() -> Iterator[str]:
    """Yield every component's folder below ``components``, sorted: "blocks/llm"."""
    for file in sorted(ROOT.glob("*/*/component.py")):
        yield file.parent.relative_to(ROOT).as_posix()


def load_component(folder: str) -> BaseComponent:
    """Return the component that a folder exports.

    Args:
        folder: The component's folder: "blocks/llm".
    """
    module = importlib.import_module(f"kfp_sdg.components.{folder.replace('/', '.')}")
    (name,) = module.__all__
    component: BaseComponent = getattr(module, name)
    return component


def compiled(folder: str) -> str:
    """Return what a folder's ``component.yaml`` should say, by compiling its component."""
    from kfp.compiler import Compiler

    with tempfile.TemporaryDirectory(prefix="kfp-sdg-build-") as scratch:
        path = Path(scratch, "component.yaml")
        Compiler().compile(load_component(folder), str(path))
        return path.read_text(encoding="utf-8")


def is_fresh(folder: str) -> bool:
    """Tell whether a folder's ``component.yaml`` is what its component compiles to.

    The version of the KFP SDK that wrote it does not matter.
    """
    file = ROOT / folder / "component.yaml"
    if not file.exists():
        return False
    return _without_version(file.read_text(encoding="utf-8")) == _without_version(compiled(folder))


def _without_version(text: str) -> str:
    return _SDK_VERSION.sub("", text)


def main() -> None:
    """Write the image into every component and compile those that are not fresh."""
    for folder in component_folders():
        source = ROOT / folder / "component.py"
        text = source.read_text(encoding="utf-8")
        image = f'base_image="{component_image(folder)}"'
        source.write_text(_BASE_IMAGE.sub(image, text), encoding="utf-8")
    for folder in component_folders():
        if not is_fresh(folder):
            (ROOT / folder / "component.yaml").write_text(compiled(folder), encoding="utf-8")
            print(f"components/{folder}/component.yaml")


if __name__ == "__main__":
    main()
