"""Names whose modules are imported when somebody asks for them."""

from __future__ import annotations

import pytest

import kfp_sdg.spec
import kfp_sdg.teacher
from kfp_sdg.spec.load import load_pipeline
from kfp_sdg.teacher.connection import connect


@pytest.mark.parametrize("package", [kfp_sdg.spec, kfp_sdg.teacher])
def test_a_package_has_every_name_that_it_promises(package):
    assert [name for name in package.__all__ if not hasattr(package, name)] == []


def test_a_name_is_the_very_thing_that_its_module_has():
    assert kfp_sdg.teacher.connect is connect
    assert kfp_sdg.spec.load_pipeline is load_pipeline


def test_a_name_that_is_nowhere_is_told_as_python_tells_it():
    with pytest.raises(AttributeError, match=r"module 'kfp_sdg.teacher' has no attribute 'x'"):
        _ = kfp_sdg.teacher.x
    with pytest.raises(ImportError, match=r"cannot import name 'x' from 'kfp_sdg.teacher'"):
        from kfp_sdg.teacher import x  # noqa: F401
