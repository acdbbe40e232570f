"""Habits from Liquid (Shopify, Braze, Customer.io), answered with our form."""

from __future__ import annotations

import re

from core.errors import Problem

_BLOCKS = {
    "assign": "{% set name = value %}",
    "capture": "{% set name = value %}",
    "unless": "{% if not condition %}",
    "endunless": "{% endif %}",
    "elsif": "{% elif condition %}",
    "case": "{% if … %}{% elif … %}{% endif %}",
    "when": "{% elif value == … %}",
    "comment": "{# … #}",
    "endcomment": "#}",
    "tablerow": "{% for item in items %}",
    "connected_content": "nothing: mails load no data while they are sent",
}
_WORDS = {
    "forloop": "loop",
    "nil": "none",
    "blank": "none, or leave it out: {% if customer.city %}",
}

_TAG = re.compile(
    r"\{%-?\s*(?P<word>\w+)(?P<rest>.*?)-?%\}|\{\{(?P<shown>.*?)\}\}", re.S
)
_TEXT = re.compile(r"'[^'\n]*'|\"[^\"\n]*\"")
_COLON = re.compile(r"\|\s*(\w+)\s*:\s*([^|]+)")
_CONTAINS = re.compile(r"([\w.]+)\s+contains\s+(\S+)")


def liquid_habits(source: str, file: str) -> list[Problem]:
    """One problem for each Liquid form in `source`, with the form that works here."""
    found = []
    for tag in _TAG.finditer(source):
        line = source.count("\n", 0, tag.start()) + 1
        found += [
            Problem(
                "this is Liquid; templates here are Jinja",
                tag.group(0).strip()[:80],
                file=file,
                line=line,
                hint=f"Write {form}",
            )
            for form in _forms(tag)
        ]
    return found


def _forms(tag: re.Match[str]) -> list[str]:
    word = tag.group("word")
    if word == "assign":
        return [_assignment(tag.group("rest"))]
    if word in _BLOCKS:
        return [_BLOCKS[word]]
    inside = tag.group("shown") if word is None else word + tag.group("rest")
    return _expression_forms(inside or "")


def _assignment(rest: str) -> str:
    name, equals, value = rest.partition("=")
    if not equals:
        return _BLOCKS["assign"]
    return f"{{% set {name.strip()} = {_with_calls(value.strip())} %}}"


def _with_calls(expression: str) -> str:
    """`x | default: "y"` as `x | default("y")`."""
    return _COLON.sub(lambda m: f"| {m[1]}({m[2].strip()}) ", expression).strip()


def _expression_forms(inside: str) -> list[str]:
    # What stands in quotes is the customer's to read, whatever it looks like.
    bare = _TEXT.sub(lambda text: "_" * len(text.group(0)), inside)
    if _COLON.search(bare):
        return [f"{{{{ {_with_calls(inside.strip('- '))} }}}}"]
    contains = _CONTAINS.search(bare)
    if contains:
        start, end = contains.span(2)
        return [f"{inside[start:end]} in {contains.group(1)}"]
    return [
        form for word, form in _WORDS.items() if re.search(rf"(?<![.\w]){word}\b", bare)
    ]
