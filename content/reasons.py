"""Why a product is offered, in words: one sentence per reason and language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from ruamel.yaml import YAML

from core.errors import Problem, TemplateError, did_you_mean

FILE = "reasons.yaml"


@dataclass(frozen=True, slots=True)
class Reasons:
    """The sentences by language and reason; the first language is the fallback."""

    sentences: Mapping[str, Mapping[str, str]]
    languages: Sequence[str]

    def text(
        self,
        reason: str,
        language: str,
        product: str | None = None,
        share_ratio: float | None = None,
    ) -> str:
        """The sentence; one that names a product or a share needs it.

        Raises
        ------
        TemplateError : there is no such reason
        """
        chosen = language if language in self.sentences else self.languages[0]
        known = self.sentences[chosen]
        if reason not in known:
            raise TemplateError(
                Problem(
                    "unknown reason for an offer",
                    reason,
                    file=FILE,
                    hint=did_you_mean(reason, known),
                )
            )
        percent = "" if share_ratio is None else f"{share_ratio:.0%}"
        return known[reason].format(product=product or "", share=percent)


def read_reasons(root: Path, languages: Sequence[str]) -> Reasons:
    """The shipped sentences, complete in every language of the shop.

    Raises
    ------
    TemplateError : a language or a sentence is missing
    """
    file = root / FILE
    tree = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    missing = [language for language in languages if language not in tree]
    if missing:
        raise TemplateError(
            Problem("reasons are missing in a language of the shop", missing[0], file)
        )
    wanted = set(tree[languages[0]])
    for language in languages:
        for reason in sorted(wanted ^ set(tree[language])):
            raise TemplateError(
                Problem(f"`{language}` and the first language differ", reason, file)
            )
    return Reasons(tree, tuple(languages))
