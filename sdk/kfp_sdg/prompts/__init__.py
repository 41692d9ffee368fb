"""Prompts: templates, chat formats, prompt configs, and what answers are parsed with.

This package never talks to a server and knows no rows.
"""

from kfp_sdg.prompts.chat import CHAT, PromptRegistry, resolve_family, wrap_prompt
from kfp_sdg.prompts.config import PromptConfig
from kfp_sdg.prompts.grammar import derive_grammar
from kfp_sdg.prompts.parse import Parsed, Parser, PatternParser, TagParser
from kfp_sdg.prompts.template import PromptError, PromptTemplate

__all__ = [
    "CHAT",
    "Parsed",
    "Parser",
    "PatternParser",
    "PromptConfig",
    "PromptError",
    "PromptRegistry",
    "PromptTemplate",
    "TagParser",
    "derive_grammar",
    "resolve_family",
    "wrap_prompt",
]
