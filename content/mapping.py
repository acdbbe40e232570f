"""How the columns of a file become ours: mappings as data, read from YAML."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap
from ruamel.yaml.error import MarkedYAMLError

from core.errors import DataError, Problem, did_you_mean
from core.records import RecordKind

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
KEYS = (
    "kind",
    "source",
    "encoding",
    "delimiter",
    "decimal",
    "timezone",
    "dates",
    "missing",
    "columns",
    "attributes",
    "defaults",
    "values",
    "rules",
)
RULES = ("return_prefix", "no_product", "quantity_limit")

_ORDERS = (
    *("order", "ordered_at", "customer", "country", "product", "product_name"),
    *("quantity", "price", "amount", "currency"),
    *("discount", "coupon", "status"),
)
_CUSTOMERS = (
    *("id", "name", "given_name", "family_name", "email", "phone", "telegram"),
    *("language", "gender", "birth_date", "birth_year", "age"),
    *("address", "city", "postcode", "country"),
    *("income", "income_period", "currency", "preferences", "created_at"),
    *("purchase_count", "purchase_days", "average_purchase_price", "figures_at"),
    *("consent_email", "consent_telegram", "topic"),
)
_PRODUCTS = ("id", "name", "category", "price", "currency", "url", "active")
_OPT_OUTS = ("id", "email", "reason")
_EVENTS = ("id", "customer", "event", "at", "product", "value", "currency")
_FEEDBACK = (
    *("id", "customer", "answered_at", "score", "issue", "comment"),
    *("agent", "topic", "channel", "conversation"),
)
_CONVERSATIONS = (
    *("id", "customer", "kind", "opened_at", "closed_at", "ended", "topic", "agent"),
    *("first_response_at", "first_response_seconds", "handling_seconds", "reopened"),
    *("score", "issue", "comment"),
)
_RATES = ("currency", "day", "rate")

FIELDS = {
    RecordKind.ORDERS: _ORDERS,
    RecordKind.CUSTOMERS: _CUSTOMERS,
    RecordKind.PRODUCTS: _PRODUCTS,
    RecordKind.OPT_OUTS: _OPT_OUTS,
    RecordKind.EVENTS: _EVENTS,
    RecordKind.FEEDBACK: _FEEDBACK,
    RecordKind.CONVERSATIONS: _CONVERSATIONS,
    RecordKind.RATES: _RATES,
}
# Of each group, one column at least.
REQUIRED = {
    RecordKind.ORDERS: (("order",), ("ordered_at",), ("price", "amount")),
    RecordKind.CUSTOMERS: (("id",),),
    RecordKind.PRODUCTS: (("id",),),
    RecordKind.OPT_OUTS: (("id", "email"),),
    RecordKind.EVENTS: (("customer",), ("event",), ("at",)),
    RecordKind.FEEDBACK: (("answered_at",), ("score", "comment")),
    RecordKind.CONVERSATIONS: (("id",), ("opened_at",)),
    RecordKind.RATES: (("currency",), ("day",), ("rate",)),
}
# Where it stands for a list of columns: all that no field takes.
REST = "rest"


@dataclass(frozen=True, slots=True)
class Rules:
    """What else is known of the rows of orders."""

    return_prefix: str | None = None
    no_product: frozenset[str] = frozenset()
    quantity_limit: int | None = None


@dataclass(frozen=True, slots=True)
class FileMapping:
    """What stands in which column, and in what form.

    `columns` maps our fields to the file's column names; a column that a file need
    not have is one of `optional`. `attributes` lists columns that are kept as they
    are, or is `rest`. `delimiter` None means: found out from the header.
    """

    name: str
    kind: RecordKind
    source: str | None = None
    encoding: str = "utf-8-sig"
    delimiter: str | None = None
    decimal: str = "."
    timezone: str | None = None
    dates: tuple[str, ...] = ("iso",)
    missing: tuple[str, ...] = ("",)
    columns: Mapping[str, str] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    attributes: tuple[str, ...] | str = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rules: Rules = Rules()

    @property
    def content_hash(self) -> str:
        """The same for mappings that mean the same."""
        plain = asdict(self)
        plain.pop("name")
        text = json.dumps(plain, sort_keys=True, default=_sorted, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()


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


def _sorted(value: Any) -> list[str]:
    return sorted(value)


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
            decimal=self._choice("decimal", (".", ",")),
            timezone=self._timezone(),
            dates=self._texts("dates", ("iso",)),
            missing=("", *self._texts("missing", ())),
            columns=columns,
            optional=optional,
            attributes=self._attributes(),
            defaults=self._defaults(kind),
            values=self._values(kind),
            rules=self._rules(),
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

    def _columns(self, kind: RecordKind) -> tuple[dict[str, str], frozenset[str]]:
        """Field to column; a name that ends with `?` need not be in the file."""
        node = self._node("columns")
        self._check_words(node, FIELDS[kind], "field", "columns.")
        for group in REQUIRED[kind]:
            if not any(field in node for field in group):
                expected = f"{kind} need a column for `{'` or `'.join(group)}`"
                self._wrong(expected, None, self._tree, "columns")
        names = {str(field): str(column) for field, column in node.items()}
        optional = frozenset(field for field, name in names.items() if name[-1:] == "?")
        return {
            field: name.removesuffix("?") for field, name in names.items()
        }, optional

    def _encoding(self) -> str:
        value = self._text("encoding") or "utf-8"
        try:
            "".encode(value)
        except LookupError:
            self._wrong("unknown encoding", value, self._tree, "encoding")
        # A byte-order mark would become part of the first column's name.
        return "utf-8-sig" if value.lower() in {"utf-8", "utf8"} else value

    def _delimiter(self) -> str | None:
        value = self._tree.get("delimiter", "guess")
        if value == "guess":
            return None
        if value in DELIMITERS:
            return DELIMITERS[value]
        if isinstance(value, str) and len(value) == 1:
            return value
        expected = f"`delimiter` is one character or {', '.join(DELIMITERS)}, guess"
        self._wrong(expected, value, self._tree, "delimiter")
        return None

    def _choice(self, key: str, known: tuple[str, ...]) -> str:
        value = self._tree.get(key, known[0])
        if value not in known:
            self._wrong(f"`{key}` is one of {' '.join(known)}", value, self._tree, key)
        return str(value)

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
        return Rules(
            None if prefix is None else str(prefix),
            frozenset(str(code) for code in codes),
            limit,
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
