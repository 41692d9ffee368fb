"""The pipelines with judges."""

from instructlab.sdg._data import serve

serve(__name__, "full")
