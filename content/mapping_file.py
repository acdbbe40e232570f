"""Mappings as data: read from YAML, with every mistake told by its line."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from content.mapping import (
    DELIMITERS,
    FIELDS,
    GUESS,
    GUESSED,
    INCOME_PERIODS,
    KEYS,
    NAMED_FORMS,
    REQUIRED,
    REST,
    RULES,
    TIME_UNITS,
    WHITESPACE,
    FileMapping,
    Rules,
)
from core.errors import DataError, Problem, did_you_mean
from core.records import RecordKind


def shipped_mappings(root: Path) -> dict[str, Path]:
    """The mappings of a templates folder, by name."""
    return {path.stem: path for path in sorted((root / "mappings").glob("*.yaml"))}


def find_mapping(name: str, root: Path) -> FileMapping:
    """The mapping of a file's path, or of a shipped name.

    Raises
    ------
    DataError : neither exists (with the nearest name), or the mapping is wrong
    """
    path = Path(name)
    if path.suffix in {".yaml", ".yml"} or path.is_file():
        return read_mapping(path)
    shipped = shipped_mappings(root)
    if name not in shipped:
        hint = did_you_mean(name, shipped) or f"There are: {', '.join(shipped)}."
        raise DataError(Problem("unknown mapping", name, hint=hint))
    return read_mapping(shipped[name])


def read_mapping(path: Path) -> FileMapping:
    """The mapping in a YAML file.

    Raises
    ------
    DataError : with every unknown word, wrong value and missing column, each with
        its line
    """
    return _Reading(path, _read_tree(path)).mapping()


def _read_tree(path: Path) -> CommentedMap:
    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8-sig"))
    except (OSError, UnicodeDecodeError) as error:
        raise DataError(
            Problem("the mapping can't be read", str(error), file=path)
        ) from error
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = mark.line + 1 if mark else None
        raise DataError(
            Problem(f"not valid YAML: {error.problem}", file=path, line=line)
        ) from error
    if not isinstance(tree, CommentedMap):
        raise DataError(Problem("a mapping with `kind` is expected", file=path, line=1))
    return tree


def _is_list(value: Any) -> bool:
    return isinstance(value, list)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


class _Reading:
    """One pass over a mapping's tree; problems are collected, then raised."""

    def __init__(self, path: Path, tree: CommentedMap) -> None:
        self._path = path
        self._tree = tree
        self._problems: list[Problem] = []

    def mapping(self) -> FileMapping:
        tree = self._tree
        self._check_words(tree, KEYS, "key")
        kind = self._kind()
        if kind is None:
            raise DataError(*self._problems)
        columns, optional = self._columns(kind)
        found = FileMapping(
            name=self._path.stem,
            kind=kind,
            source=self._text("source"),
            encoding=self._encoding(),
            delimiter=self._delimiter(),
            decimal=self._decimal(),
            timezone=self._timezone(),
            dates=self._dates(),
            missing=("", *self._texts("missing", ())),
            columns=columns,
            optional=optional,
            attributes=self._attributes(),
            defaults=self._defaults(kind),
            values=self._values(kind),
            rules=self._rules(),
            scale=self._scale(),
            header=self._texts("header", ()),
            sheet=self._text("sheet"),
            guess=frozenset(k for k in GUESSED if tree.get(k, GUESS) == GUESS),
        )
        if self._problems:
            raise DataError(*self._problems)
        return found

    def _wrong(
        self,
        expected: str,
        value: object,
        parent: CommentedMap,
        key: object,
        hint: str | None = None,
    ) -> None:
        line = parent.lc.data[key][0] + 1 if key in parent.lc.data else None
        shown = None if value is None else str(value)
        self._problems.append(Problem(expected, shown, self._path, line, hint=hint))

    def _check_words(
        self, node: CommentedMap, known: Iterable[str], noun: str, prefix: str = ""
    ) -> None:
        words = list(known)
        for key in node:
            if key not in words:
                hint = did_you_mean(str(key), words) or f"Known: {', '.join(words)}."
                self._wrong(f"unknown {noun} `{prefix}{key}`", None, node, key, hint)

    def _kind(self) -> RecordKind | None:
        value = self._tree.get("kind")
        kinds = [kind.value for kind in RecordKind]
        if value in kinds:
            return RecordKind(value)
        hint = did_you_mean(str(value), kinds)
        expected = f"`kind` is one of {', '.join(kinds)}"
        self._wrong(expected, value, self._tree, "kind", hint)
        return None

    def _columns(
        self, kind: RecordKind
    ) -> tuple[dict[str, str | tuple[str, ...]], frozenset[str]]:
        """Field to column; a name that ends with `?` need not be in the file."""
        node = self._node("columns")
        given_by_default = self._node("defaults")
        self._check_words(node, FIELDS[kind], "field", "columns.")
        for group in REQUIRED[kind]:
            if not any(field in node or field in given_by_default for field in group):
                expected = f"{kind} need a column for `{'` or `'.join(group)}`"
                self._wrong(expected, None, self._tree, "columns")
        columns: dict[str, str | tuple[str, ...]] = {}
        optional = set()
        for field, given in node.items():
            names = [str(name) for name in given] if _is_list(given) else [str(given)]
            if not names or given is None or "" in names:
                self._wrong("the name of a column, or a list", given, node, field)
                continue
            if any(name.endswith("?") for name in names):
                optional.add(str(field))
            bare = tuple(name.removesuffix("?") for name in names)
            columns[str(field)] = bare if _is_list(given) else bare[0]
        return columns, frozenset(optional)

    def _encoding(self) -> str:
        value = self._told("encoding") or "utf-8"
        try:
            "".encode(value)
        except LookupError:
            self._wrong("unknown encoding", value, self._tree, "encoding")
        # A byte-order mark would become part of the first column's name.
        return "utf-8-sig" if value.lower() in {"utf-8", "utf8"} else value

    def _delimiter(self) -> str | None:
        value = self._told("delimiter")
        if value is None or len(value) == 1 or value == WHITESPACE:
            return value
        if value in DELIMITERS:
            return DELIMITERS[value]
        known = ", ".join((*DELIMITERS, WHITESPACE, GUESS))
        expected = f"`delimiter` is one character or {known}"
        self._wrong(expected, value, self._tree, "delimiter")
        return None

    def _decimal(self) -> str:
        value = self._told("decimal") or "."
        if value not in {".", ","}:
            self._wrong("`decimal` is one of . , guess", value, self._tree, "decimal")
        return value

    def _dates(self) -> tuple[str, ...]:
        if self._told("dates") is None:
            return ("iso",)
        forms = self._texts("dates", ())
        for form in forms:
            if form not in NAMED_FORMS and "%" not in form:
                expected = f"a form of dates: {', '.join(NAMED_FORMS)}, or %d.%m.%Y"
                self._wrong(expected, form, self._tree, "dates")
        return forms

    def _scale(self) -> tuple[float, float] | None:
        value = self._tree.get("scale")
        if value is None:
            return None
        if isinstance(value, list) and len(value) == len(("low", "high")):
            low, high = value
            if low != high and all(_is_number(end) for end in value):
                return float(low), float(high)
        self._wrong("`scale` is [lowest, highest] score", value, self._tree, "scale")
        return None

    def _told(self, key: str) -> str | None:
        """A key's word; None where the file itself shall tell."""
        text = self._text(key)
        return None if text == GUESS else text

    def _timezone(self) -> str | None:
        value = self._text("timezone")
        if value is not None:
            try:
                ZoneInfo(value)
            except (ZoneInfoNotFoundError, ValueError):
                self._wrong("unknown time zone", value, self._tree, "timezone")
        return value

    def _attributes(self) -> tuple[str, ...] | str:
        if self._tree.get("attributes") == REST:
            return REST
        return self._texts("attributes", ())

    def _defaults(self, kind: RecordKind) -> dict[str, str]:
        node = self._node("defaults")
        self._check_words(node, FIELDS[kind], "field", "defaults.")
        period = node.get("income_period")
        if period is not None and period not in INCOME_PERIODS:
            expected = f"one of {', '.join(INCOME_PERIODS)}"
            self._wrong(expected, period, node, "income_period")
        return {str(key): str(value) for key, value in node.items()}

    def _values(self, kind: RecordKind) -> dict[str, dict[str, str]]:
        node = self._node("values")
        self._check_words(node, FIELDS[kind], "field", "values.")
        found: dict[str, dict[str, str]] = {}
        for field_name, words in node.items():
            if isinstance(words, CommentedMap):
                found[field_name] = {str(a): str(b) for a, b in words.items()}
            else:
                self._wrong("words with their meaning", words, node, field_name)
        return found

    def _rules(self) -> Rules:
        node = self._node("rules")
        self._check_words(node, RULES, "rule", "rules.")
        codes = node.get("no_product", [])
        if not isinstance(codes, list):
            self._wrong("a list of codes is expected", codes, node, "no_product")
            codes = []
        limit = node.get("quantity_limit")
        if limit is not None and (not isinstance(limit, int) or limit < 1):
            self._wrong("a whole number above 0", limit, node, "quantity_limit")
            limit = None
        prefix = node.get("return_prefix")
        unit = node.get("time_unit", "seconds")
        if unit not in TIME_UNITS:
            self._wrong(f"one of {', '.join(TIME_UNITS)}", unit, node, "time_unit")
        return Rules(
            None if prefix is None else str(prefix),
            frozenset(str(code) for code in codes),
            limit,
            TIME_UNITS.get(unit, 1),
        )

    def _node(self, key: str) -> CommentedMap:
        node = self._tree.get(key)
        if isinstance(node, CommentedMap):
            return node
        if node is not None:
            self._wrong(f"`{key}` holds names with values", node, self._tree, key)
        return CommentedMap()

    def _text(self, key: str) -> str | None:
        value = self._tree.get(key)
        return None if value is None else str(value)

    def _texts(self, key: str, default: tuple[str, ...]) -> tuple[str, ...]:
        value = self._tree.get(key)
        if value is None:
            return default
        if isinstance(value, list):
            return tuple("" if item is None else str(item) for item in value)
        return (str(value),)
