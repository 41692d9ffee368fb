"""Prompt configs for knowledge."""

from instructlab.sdg._data import serve

serve(__name__, "configs", "knowledge")
