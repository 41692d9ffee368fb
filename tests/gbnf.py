"""The part of GBNF that the shipped grammars use, as regular expressions.

Rules are not recursive, so a grammar is a regular expression once every rule is put in its place.
"""

from __future__ import annotations

import regex

_TOKEN = regex.compile(
    r'(?P<literal>"(?:\\.|[^"\\])*")'
    r"|(?P<set>\[(?:\\.|[^\]\\])*\])"
    r"|(?P<count>\{\d+(?:,\d*)?\})"
    r"|(?P<sign>[()|?*+])"
    r"|(?P<rule>[A-Za-z][A-Za-z0-9-]*)"
    r"|(?P<space>\s+)"
)
_ESCAPES = {"n": "\n", "t": "\t", "r": "\r"}


def gbnf_pattern(grammar: str) -> regex.Pattern[str]:
    """Return a pattern whose full matches are the texts of a grammar."""
    rules = dict(line.split(" ::= ", 1) for line in grammar.strip().splitlines())
    return regex.compile(_expression(rules["root"], rules))


def gbnf_prefix(grammar: str, text: str) -> bool:
    """Tell whether a grammar allows a text that goes on after this one."""
    return gbnf_pattern(grammar).fullmatch(text, partial=True) is not None


def _expression(body: str, rules: dict[str, str]) -> str:
    parts, at = [], 0
    while at < len(body):
        match = _TOKEN.match(body, at)
        assert match is not None, f"not GBNF that we use: {body[at:]!r}"
        at, text = match.end(), match[0]
        if match.lastgroup == "literal":
            plain = regex.sub(r"\\(.)", lambda m: _ESCAPES.get(m[1], m[1]), text[1:-1])
            parts.append(f"(?:{regex.escape(plain)})")
        elif match.lastgroup == "rule":
            parts.append(f"(?:{_expression(rules[text], rules)})")
        elif match.lastgroup != "space":
            parts.append(text)
    return "".join(parts)
