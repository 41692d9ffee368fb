"""The chat formats that ship, as the functions that return their templates."""

from kfp_sdg.prompts.chat import blank as blank_chat_template
from kfp_sdg.prompts.chat import llama as llama_chat_template
from kfp_sdg.prompts.chat import merlinite as merlinite_chat_template
from kfp_sdg.prompts.chat import mixtral as mixtral_chat_template

__all__ = [
    "blank_chat_template",
    "llama_chat_template",
    "merlinite_chat_template",
    "mixtral_chat_template",
]
