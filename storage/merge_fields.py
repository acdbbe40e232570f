"""The fields of two customers who are one: the survivor's, and what they lack."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Row, select, update

from storage import provenance
from storage.customer_fields import FIELDS, OBJECTS, column_values, value_at
from storage.provenance import Believed, Entry, Origin
from storage.schema import customers, sources

# The gaps of one address are not filled from another one.
PLACE = ("address", "city", "postcode", "country")
# What says nothing without the other is taken with it.
TOGETHER = {"income_currency": "income_minor"}
# A value before and after.
Change = list[Any]


@dataclass(frozen=True, slots=True)
class UnitedFields:
    """What a merge did to the survivor's own row, by path, as JSON has it."""

    values: dict[str, Change] = field(default_factory=dict)
    provenance: dict[str, Change] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def unite(
    connection: Connection, survivor: Row[Any], merged: Row[Any], now: datetime
) -> UnitedFields:
    """Fill the survivor's gaps, and take over what is known with more right.

    A value of the survivor stays unless there is none, or the merged customer's was
    set with a higher priority. The earlier `created_at` counts.
    """
    known = provenance.believed(connection)
    taken = [
        path for path in _paths(merged) if _is_taken(survivor, merged, path, known)
    ]
    entries = {path: _entry(connection, merged, path, known) for path in taken}
    after = {path: value_at(merged, path) for path in taken}
    if merged.created_at < survivor.created_at:
        after["created_at"] = merged.created_at
    _write(connection, survivor, after, entries, now)
    return UnitedFields(
        {
            path: [_word(value_at(survivor, path)), _word(value)]
            for path, value in after.items()
        },
        {
            path: [survivor.provenance.get(path), entry]
            for path, entry in entries.items()
        },
    )


def take_back(
    connection: Connection, survivor: Row[Any], done: UnitedFields, now: datetime
) -> None:
    """The survivor's values of before; what was changed since the merge stays."""
    values = {
        path: _value(path, before)
        for path, (before, after) in done.values.items()
        if _word(value_at(survivor, path)) == after
    }
    entries = {
        path: before
        for path, (before, after) in done.provenance.items()
        if survivor.provenance.get(path) == after
    }
    _write(connection, survivor, values, entries, now)


def _paths(row: Row[Any]) -> list[str]:
    inside = [f"{name}.{key}" for name in OBJECTS for key in getattr(row, name)]
    return [*FIELDS, *inside]


def _is_taken(survivor: Row[Any], merged: Row[Any], path: str, known: Believed) -> bool:
    path = TOGETHER.get(path, path)
    own, other = value_at(survivor, path), value_at(merged, path)
    if other is None or own == other:
        return False
    # A person who took a value out has set the field as well.
    if own is None and path not in survivor.provenance:
        return path not in PLACE or _same_place(survivor, merged)
    return _priority(merged, path, known) > _priority(survivor, path, known)


def _priority(row: Row[Any], path: str, known: Believed) -> int:
    return known.of(row.provenance, path, row.source_id)


def _same_place(survivor: Row[Any], merged: Row[Any]) -> bool:
    """Whether no part of the two addresses contradicts the other."""
    pairs = [(value_at(survivor, path), value_at(merged, path)) for path in PLACE]
    return all(
        own is None or other is None or own.casefold() == other.casefold()
        for own, other in pairs
    )


def _entry(
    connection: Connection, row: Row[Any], path: str, known: Believed
) -> Entry | None:
    """Who set the value, so that the survivor's row can say it as well."""
    entry: Entry | None = row.provenance.get(path)
    if entry is not None or row.source_id is None:
        return entry
    name = connection.scalar(
        select(sources.c.name).where(sources.c.id == row.source_id)
    )
    return Origin(f"source:{name}", _priority(row, path, known), row.updated_at).entry()


def _write(
    connection: Connection,
    survivor: Row[Any],
    values: Mapping[str, Any],
    entries: Mapping[str, Entry | None],
    now: datetime,
) -> None:
    all_entries = dict(survivor.provenance) | dict(entries)
    connection.execute(
        update(customers)
        .where(customers.c.id == survivor.id)
        .values(
            **column_values(survivor, values),
            provenance={path: each for path, each in all_entries.items() if each},
            updated_at=now,
        )
    )


def _word(value: Any) -> Any:
    return value.isoformat() if isinstance(value, date) else value


def _value(path: str, word: Any) -> Any:
    if word is None:
        return None
    if path == "created_at":
        return datetime.fromisoformat(word)
    return date.fromisoformat(word) if path == "birth_date" else word
