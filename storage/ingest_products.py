"""Products of a file, made or filled in."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from core.records import ProductRecord
from storage import corrections
from storage.bulk import insert_rows, lookup, update_rows
from storage.corrections import Correction
from storage.import_journal import changed_fields, named
from storage.ingest import Import
from storage.schema import products

_FIELDS = ("name", "price_minor", "currency", "category", "url", "active")
_NEW = ("source_id", "external_id", "import_id", *_FIELDS)
# What a file says of one product.
Said = dict[str, Any]


def write_products(
    connection: Connection, row: Import, records: list[ProductRecord], now: datetime
) -> Counter[str]:
    """Make or fill in the products of a batch.

    Parameters
    ----------
    connection : a writing one
    row : whose source the ids belong to
    records : one per row of the file; of two with the same id the later one wins
    now : aware; when what was known changed

    Returns
    -------
    No corrections: what is changed stands in the account of changes.
    """
    wanted: dict[str, Said] = {}
    for record in records:
        said = wanted.setdefault(record.external_id, {})
        said |= {
            name: value
            for name in _FIELDS
            if (value := getattr(record, name)) is not None
        }
    stored = {each.external_id: each for each in _stored(connection, row, wanted)}
    new = {name: said for name, said in wanted.items() if name not in stored}
    insert_rows(connection, products, _NEW, [_new(row, *each) for each in new.items()])
    older = [each.id for each in stored.values() if each.import_id != row.id]
    named(connection, row, products, older)
    differing = {
        each: fields
        for name, each in stored.items()
        if (fields := _difference(each, wanted[name]))
    }
    change_products(connection, row, differing)
    _account(connection, row, differing, now)
    return Counter()


def change_products(
    connection: Connection, row: Import, differing: Mapping[Any, Said]
) -> None:
    """Set fields of stored products, and keep what they were."""
    changed_fields(
        connection,
        row,
        products,
        [
            (each.id, {name: getattr(each, name) for name in fields}, fields)
            for each, fields in differing.items()
            if each.import_id != row.id
        ],
    )
    alike: defaultdict[tuple[str, ...], list[tuple[Any, ...]]] = defaultdict(list)
    for each, fields in differing.items():
        alike[tuple(fields)].append((*fields.values(), each.id))
    for names, rows in alike.items():
        update_rows(connection, products, names, rows)


def _stored(connection: Connection, row: Import, wanted: Mapping[str, Said]) -> Any:
    columns = [
        products.c[name] for name in ("id", "external_id", "import_id", *_FIELDS)
    ]
    ours = products.c.source_id == row.source_id
    return lookup(connection, products.c.external_id, wanted, columns, ours)


def _new(row: Import, name: str, said: Said) -> tuple[Any, ...]:
    known = {"name": name, "active": True} | said
    return (row.source_id, name, row.id, *(known.get(each) for each in _FIELDS))


def _difference(stored: Any, said: Said) -> Said:
    return {name: v for name, v in said.items() if v != getattr(stored, name)}


def _account(
    connection: Connection, row: Import, differing: Mapping[Any, Said], now: datetime
) -> None:
    made = [
        Correction(each.id, name, before, value, "import", "product", None, row.id)
        for each, fields in differing.items()
        for name, value in fields.items()
        if (before := getattr(each, name)) is not None
    ]
    corrections.record(connection, made, now)
