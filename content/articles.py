"""The knowledge base as data: one YAML file per article, all languages in it.

A file's name is the article's key. The database keeps `Article.to_json()` as an
immutable version, and `templates/knowledge/` is the set to start with.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError
from ruamel.yaml.scalarstring import FoldedScalarString

from core.errors import DataError, Problem, did_you_mean
from core.settings import ROOT

DIRECTORY = ROOT / "templates" / "knowledge"
OUT_OF_SCOPE = "out_of_scope"
LANGUAGES = ("en", "zh")
TEXT_KEYS = ("title", "answer", "questions")
QUESTIONS_MIN = 3
# Telegram refuses messages over 4096 characters; nobody reads a tenth of it in a chat.
ANSWER_CHARACTERS_MAX = 1500
TITLE_CHARACTERS_MAX = 60  # a title is also a button
KEY = re.compile(r"[a-z0-9]+(?:-[a-z0-9]+)*")
VARIABLE = re.compile(r"\{\{\s*(.*?)\s*\}\}")
VARIABLES = ("company.name", "company.support_email", "company.url")

Place = tuple[str, int | None]


@dataclass(frozen=True, slots=True)
class ArticleText:
    """An article in one language."""

    title: str
    answer: str
    questions: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Article:
    """One answer, and the many ways to ask for it, per language."""

    key: str
    topic: str
    texts: Mapping[str, ArticleText]

    @property
    def content_hash(self) -> str:
        """The same for the same content, whatever the order of languages."""
        return _hash(self.to_json())

    def text(self, language: str | None) -> ArticleText:
        """The text in `language`, or in the first language that there is."""
        first = next(iter(self.texts.values()))
        return self.texts.get(language or "", first)

    def to_json(self) -> dict[str, Any]:
        """What the database stores as a version."""
        texts = {
            language: {
                "title": text.title,
                "answer": text.answer,
                "questions": list(text.questions),
            }
            for language, text in self.texts.items()
        }
        return {"key": self.key, "topic": self.topic, "texts": texts}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Article:
        """The article that `to_json` made."""
        texts = {
            language: ArticleText(
                text["title"], text["answer"], tuple(text["questions"])
            )
            for language, text in stored["texts"].items()
        }
        return cls(stored["key"], stored["topic"], texts)


@dataclass(frozen=True, slots=True)
class Knowledge:
    """All articles, and questions that none of them answers, by language."""

    articles: Mapping[str, Article]
    out_of_scope: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def content_hash(self) -> str:
        """Names what a model was trained on."""
        return _hash(self.to_json())

    def wordings(self) -> Iterable[tuple[str, str | None]]:
        """Every text to learn from, with its article's key (None: out of scope)."""
        for key in sorted(self.articles):
            for text in self.articles[key].texts.values():
                yield text.title, key
                yield from ((question, key) for question in text.questions)
        for questions in self.out_of_scope.values():
            yield from ((question, None) for question in questions)

    def to_json(self) -> dict[str, Any]:
        """Plain data, articles in the order of their keys."""
        return {
            "articles": [self.articles[key].to_json() for key in sorted(self.articles)],
            "out_of_scope": {
                language: list(rows) for language, rows in self.out_of_scope.items()
            },
        }

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Knowledge:
        """What `to_json` made."""
        articles = [Article.from_json(article) for article in stored["articles"]]
        out_of_scope = {
            language: tuple(rows) for language, rows in stored["out_of_scope"].items()
        }
        return cls({article.key: article for article in articles}, out_of_scope)


def load_knowledge(directory: Path = DIRECTORY) -> Knowledge:
    """The articles of a directory, checked one by one and against each other.

    Raises
    ------
    DataError : with every problem found, each with file, line and nearest word
    """
    problems: list[Problem] = []
    articles: dict[str, Article] = {}
    out_of_scope: dict[str, tuple[str, ...]] = {}
    asked: list[tuple[str, Place]] = []
    for file in sorted(directory.glob("*.yaml")):
        tree = _read(file, problems)
        if tree is None:
            continue
        source = _Source(file, tree, problems)
        if file.stem == OUT_OF_SCOPE:
            out_of_scope = {key: source.rows(tree, key) for key in tree}
        else:
            articles[file.stem] = source.article(asked)
    if not problems:
        problems = [*_duplicates(asked)]
    if not articles:
        problems.append(
            Problem("a directory with articles is expected", file=directory)
        )
    if problems:
        raise DataError(*problems)
    return Knowledge(articles, out_of_scope)


def check_article(article: Article, others: Iterable[Article]) -> list[Problem]:
    """What keeps an article that was not read from a file from being a version."""
    problems: list[Problem] = []
    buffer = io.StringIO(dump_article(article))
    file = Path(f"{article.key}.yaml")
    asked: list[tuple[str, Place]] = [
        (question, (f"{other.key}.yaml", None))
        for other in others
        if other.key != article.key
        for text in other.texts.values()
        for question in text.questions
    ]
    _Source(file, YAML(typ="rt").load(buffer), problems).article(asked)
    return [*problems, *_duplicates(asked)]


def dump_article(article: Article) -> str:
    """The article's file, as a person would write it."""
    tree: dict[str, Any] = {"topic": article.topic}
    for language, text in article.texts.items():
        tree[language] = {
            "title": text.title,
            "answer": FoldedScalarString(f"{text.answer}\n"),
            "questions": list(text.questions),
        }
    yaml = YAML()
    yaml.indent(mapping=2, sequence=4, offset=2)
    # A folded Chinese text would get blanks where its lines are joined again.
    yaml.width = 10_000
    buffer = io.StringIO()
    yaml.dump(tree, buffer)
    return buffer.getvalue()


def fill_answer(answer: str, company: Mapping[str, str]) -> str:
    """The answer with `{{ company.… }}` filled in; values are text, never code."""
    return VARIABLE.sub(
        lambda match: company[match[1].removeprefix("company.")], answer
    )


class _Source:
    """One file with its lines, read into values; problems are collected."""

    def __init__(self, file: Path, tree: CommentedMap, problems: list[Problem]) -> None:
        self._file = file
        self._tree = tree
        self._problems = problems

    def article(self, asked: list[tuple[str, Place]]) -> Article:
        key = self._file.stem
        if not KEY.fullmatch(key):
            self._add("a key of small letters, digits and - is expected", key)
        known = ("topic", *LANGUAGES)
        self._refuse_unknown(self._tree, known, "heading")
        languages = [language for language in self._tree if language in LANGUAGES]
        if not languages:
            self._add(f"at least one language is expected: {', '.join(LANGUAGES)}")
        texts = {language: self._text(language, asked) for language in languages}
        return Article(key, self._words(self._tree, "topic"), texts)

    def rows(self, tree: CommentedMap, key: str) -> tuple[str, ...]:
        """A list of texts, blank ones refused."""
        found = tree.get(key)
        if not isinstance(found, CommentedSeq):
            self._add(f"`{key}` is a list of texts", tree=tree, key=key)
            return ()
        for index, row in enumerate(found):
            if not str(row or "").strip():
                line = found.lc.item(index)[0] + 1
                self._add(f"a text is expected in `{key}`", line=line)
        return tuple(str(row).strip() for row in found)

    def _text(self, language: str, asked: list[tuple[str, Place]]) -> ArticleText:
        tree = self._tree[language]
        if not isinstance(tree, CommentedMap):
            expected = f"`{language}` holds {', '.join(TEXT_KEYS)}"
            self._add(expected, tree=self._tree, key=language)
            return ArticleText("", "", ())
        self._refuse_unknown(tree, TEXT_KEYS, f"key under `{language}`")
        questions = self.rows(tree, "questions")
        if len(questions) < QUESTIONS_MIN:
            expected = f"at least {QUESTIONS_MIN} questions are expected"
            self._add(expected, str(len(questions)), tree=tree, key="questions")
        for index, question in enumerate(questions):
            line = tree["questions"].lc.item(index)[0] + 1
            asked.append((question, (str(self._file), line)))
        title = self._words(tree, "title", TITLE_CHARACTERS_MAX)
        answer = self._words(tree, "answer", ANSWER_CHARACTERS_MAX)
        self._check_variables(tree, answer)
        return ArticleText(title, answer, questions)

    def _words(self, tree: CommentedMap, key: str, longest: int = 60) -> str:
        found = str(tree.get(key) or "").strip()
        if not found:
            self._add(f"`{key}` is expected", tree=tree, key=key)
        if len(found) > longest:
            expected = f"`{key}` has at most {longest} characters"
            self._add(expected, str(len(found)), tree=tree, key=key)
        return found

    def _check_variables(self, tree: CommentedMap, answer: str) -> None:
        for name in VARIABLE.findall(answer):
            if name not in VARIABLES:
                hint = did_you_mean(name, VARIABLES) or f"Known: {', '.join(VARIABLES)}"
                expected = "an answer can't use this variable"
                self._add(expected, name, tree=tree, key="answer", hint=hint)

    def _refuse_unknown(
        self, tree: CommentedMap, known: tuple[str, ...], what: str
    ) -> None:
        for key in tree:
            if key not in known:
                hint = did_you_mean(str(key), known)
                self._add(f"unknown {what}", str(key), tree=tree, key=key, hint=hint)

    def _add(
        self,
        expected: str,
        value: str | None = None,
        *,
        tree: CommentedMap | None = None,
        key: str = "",
        line: int | None = None,
        hint: str | None = None,
    ) -> None:
        if tree is not None and key in tree:
            line = tree.lc.key(key)[0] + 1
        elif tree is not None:
            line = tree.lc.line + 1
        self._problems.append(Problem(expected, value, self._file, line, hint=hint))


def _read(file: Path, problems: list[Problem]) -> CommentedMap | None:
    try:
        tree = YAML(typ="rt").load(file.read_text(encoding="utf-8-sig"))
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        problems.append(Problem(f"not valid YAML: {error.problem}", None, file, line))
        return None
    except (OSError, UnicodeDecodeError) as error:
        problems.append(Problem("a file of UTF-8 text is expected", str(error), file))
        return None
    if not isinstance(tree, CommentedMap):
        problems.append(Problem("headings with texts are expected", None, file, 1))
        return None
    return tree


def _duplicates(asked: list[tuple[str, Place]]) -> Iterable[Problem]:
    first: dict[str, Place] = {}
    for question, place in asked:
        plain = _plain(question)
        if plain in first:
            file, line = first[plain]
            where = f"{file}:{line}" if line else file
            yield Problem(
                "one question leads to one article, once",
                question,
                place[0],
                place[1],
                hint=f"The same question stands at {where}.",
            )
        first.setdefault(plain, place)


def _plain(question: str) -> str:
    folded = unicodedata.normalize("NFKC", question).casefold()
    return " ".join(re.findall(r"\w+", folded))


def _hash(content: Mapping[str, Any]) -> str:
    canonical = json.dumps(content, ensure_ascii=False, sort_keys=True)
    return hashlib.sha256(canonical.encode()).hexdigest()
