"""Prompt configs for skills."""

from instructlab.sdg._data import serve

serve(__name__, "configs", "skills")
