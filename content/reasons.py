"""Why a product is offered, in words: one sentence per reason and language."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from string import Formatter

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from core.errors import Problem, TemplateError, did_you_mean

FILE = "reasons.yaml"
PLACES = frozenset({"product", "share"})


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
    TemplateError : the file, a language or a sentence is missing or can't be used
    """
    file = root / FILE
    tree = _read(file)
    missing = [language for language in languages if not tree.get(language)]
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
        for reason, sentence in tree[language].items():
            _check_sentence(file, f"{language}.{reason}", sentence)
    return Reasons(tree, tuple(languages))


def _read(file: Path) -> dict[str, dict[str, str]]:
    try:
        tree = YAML(typ="safe").load(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError) as error:
        raise TemplateError(
            Problem("the reasons can't be read", str(error), file)
        ) from error
    except YAMLError as error:
        line = getattr(getattr(error, "problem_mark", None), "line", None)
        raise TemplateError(
            Problem("not valid YAML", None, file, None if line is None else line + 1)
        ) from error
    known = tree if isinstance(tree, dict) else {}
    return {key: value for key, value in known.items() if isinstance(value, dict)}


def _check_sentence(file: Path, place: str, sentence: object) -> None:
    """A mistake here would break every mail with this reason."""
    try:
        names = {name for _, name, _, _ in Formatter().parse(str(sentence)) if name}
    except ValueError as error:
        raise TemplateError(Problem(f"{place}: {error}", str(sentence), file)) from None
    unknown = sorted(names - PLACES)
    if unknown or not isinstance(sentence, str):
        raise TemplateError(
            Problem(
                f"{place}: a sentence with {{product}} or {{share}}",
                str(sentence),
                file,
                hint=did_you_mean(unknown[0], PLACES) if unknown else None,
            )
        )
