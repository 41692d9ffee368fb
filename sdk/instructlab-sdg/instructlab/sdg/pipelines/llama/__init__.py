"""The pipelines for Llama models."""

from instructlab.sdg._data import serve

serve(__name__, "llama")
