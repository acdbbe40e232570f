"""How the columns of a file become ours: a mapping, and the fields of each kind."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from core.records import RecordKind

DELIMITERS = {"comma": ",", "semicolon": ";", "tab": "\t", "pipe": "|"}
# Any number of blanks, as in columns of a fixed width; never guessed.
WHITESPACE = "whitespace"
KEYS = (
    "kind",
    "source",
    "encoding",
    "delimiter",
    "header",
    "sheet",
    "decimal",
    "timezone",
    "dates",
    "missing",
    "scale",
    "columns",
    "attributes",
    "defaults",
    "values",
    "rules",
)
RULES = ("return_prefix", "no_product", "quantity_limit", "time_unit")
# In what a file counts how long something took, and how many seconds that is.
TIME_UNITS = {"seconds": 1, "minutes": 60, "hours": 3600}

_ORDERS = (
    *("order", "ordered_at", "customer", "country", "product", "product_name"),
    *("quantity", "price", "amount", "currency"),
    *("discount", "coupon", "status", "kind"),
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
    *("id", "customer", "answered_at", "score", "scale", "issue", "comment"),
    *("agent", "topic", "channel", "conversation"),
)
_CONVERSATIONS = (
    *("id", "customer", "kind", "opened_at", "closed_at", "ended", "topic", "agent"),
    *("first_response_at", "first_response_seconds", "handling_seconds", "reopened"),
    *("score", "scale", "issue", "comment"),
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
# Fields whose words are moments or days, and those that may have decimals.
DATES = frozenset(
    {
        *("ordered_at", "birth_date", "created_at", "figures_at", "at", "day"),
        *("answered_at", "opened_at", "closed_at", "first_response_at"),
    }
)
NUMBERS = frozenset(
    {
        *("price", "amount", "discount", "income", "average_purchase_price"),
        *("value", "score", "rate", "handling_seconds", "first_response_seconds"),
    }
)
# What a file's income is for, and how many of these a year has.
INCOME_PERIODS = {"year": 1, "month": 12, "week": 52}
# Where it stands for a list of columns: all that no field takes.
REST = "rest"
# Where it stands for a value: found out from the file before it is used.
GUESS = "guess"
# Forms of dates that have no signs of `strptime`.
NAMED_FORMS = ("iso", "epoch", "epoch_ms", "excel")
# What a file can tell of itself.
GUESSED = ("encoding", "delimiter", "decimal", "dates")


@dataclass(frozen=True, slots=True)
class Rules:
    """What else is known of the rows of orders, or of durations."""

    return_prefix: str | None = None
    no_product: frozenset[str] = frozenset()
    quantity_limit: int | None = None
    seconds_per_unit: int = 1


@dataclass(frozen=True, slots=True)
class FileMapping:
    """What stands in which column, and in what form.

    `columns` maps our fields to the file's column, or to several that are joined by
    a blank. Columns of a field in `optional` need not be in the file; of several,
    those that are there are joined. `attributes` lists columns that are kept as they
    are, or is `rest`. `scale` is the lowest and the highest score that the source
    gives. `guess` names what the file itself shall tell: until it is settled, the
    plain forms stand there, and None for the delimiter.
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
    columns: Mapping[str, str | tuple[str, ...]] = field(default_factory=dict)
    optional: frozenset[str] = frozenset()
    attributes: tuple[str, ...] | str = ()
    defaults: Mapping[str, str] = field(default_factory=dict)
    values: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    rules: Rules = Rules()
    scale: tuple[float, float] | None = None
    guess: frozenset[str] = frozenset()
    # The hash of the mapping as it was written, once it is settled.
    written_hash: str | None = None
    # The names of the columns, where the file has no header.
    header: tuple[str, ...] = ()
    # Which sheet of a workbook; None: the first.
    sheet: str | None = None

    @property
    def content_hash(self) -> str:
        """The same for mappings that mean the same, settled or not."""
        if self.written_hash is not None:
            return self.written_hash
        plain = asdict(self)
        del plain["name"], plain["written_hash"]
        text = json.dumps(plain, sort_keys=True, default=_sorted, ensure_ascii=False)
        return hashlib.sha256(text.encode()).hexdigest()

    def columns_of(self, field_name: str) -> tuple[str, ...]:
        """The columns that a field is read from; none where it has no column."""
        column = self.columns.get(field_name, ())
        return (column,) if isinstance(column, str) else column


def _sorted(value: Any) -> list[str]:
    return sorted(value)
