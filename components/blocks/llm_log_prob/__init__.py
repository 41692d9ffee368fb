"""Ask the teacher and keep the log-probabilities of what it generates."""

from .component import llm_log_prob

__all__ = ["llm_log_prob"]
