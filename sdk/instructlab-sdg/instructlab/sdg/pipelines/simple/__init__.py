"""The pipelines for small teachers."""

from instructlab.sdg._data import serve

serve(__name__, "simple")
