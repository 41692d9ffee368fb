"""The pipeline that writes questions to test with."""

from instructlab.sdg._data import serve

serve(__name__, "eval")
