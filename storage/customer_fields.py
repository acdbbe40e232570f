"""The fields of a customer by their paths: `city`, `attributes.size`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from core.errors import DataError, Problem, did_you_mean

FIELDS = (
    *("name", "language", "gender", "birth_date", "address", "city", "postcode"),
    *("country", "income_minor", "income_currency"),
)
# What these hold is told apart by name.
OBJECTS = ("preferences", "attributes")
COLUMNS = (*FIELDS, *OBJECTS, "provenance")


def value_at(row: Any, path: str) -> Any:
    """What a stored customer has there; None where nothing."""
    name, _, key = path.partition(".")
    value = getattr(row, name)
    return value.get(key) if key else value


def column_values(row: Any, values: Mapping[str, Any]) -> dict[str, Any]:
    """What to store in which column, so that the paths have these values."""
    found: dict[str, Any] = {}
    for path, value in values.items():
        name, _, key = path.partition(".")
        if not key:
            found[name] = value
            continue
        whole = found.setdefault(name, dict(getattr(row, name)))
        whole[key] = value
        if value is None:
            del whole[key]
    return found


def check_paths(paths: Iterable[str]) -> None:
    """Refuse what is no field.

    Raises
    ------
    DataError : with the nearest right name
    """
    for path in paths:
        name, _, key = path.partition(".")
        if path not in FIELDS and not (name in OBJECTS and key):
            hint = did_you_mean(path, FIELDS) or "attributes.NAME holds all else."
            raise DataError(Problem("unknown field of customers", path, hint=hint))
