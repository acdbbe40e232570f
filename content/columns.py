"""Which place of a row holds which field: a header bound to a mapping."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from content.mapping import REQUIRED, REST, FileMapping
from core.errors import DataError, Problem, did_you_mean

# The most that a sheet of Excel has.
COLUMNS_MAX = 16_384


@dataclass(frozen=True, slots=True)
class Columns:
    """The columns of one file.

    `indexes` gives the place of each mapped field, `rest` the columns that become
    attributes with their places. A field of several columns has a place behind the
    file's own, for which `joins` names the places whose words are joined.
    """

    header: tuple[str, ...]
    indexes: dict[str, int]
    joins: tuple[tuple[int, ...], ...]
    rest: dict[str, int]

    @property
    def width(self) -> int:
        return len(self.header) + len(self.joins)


def bind(
    header: Sequence[str], mapping: FileMapping, file: str, line: int | None
) -> Columns:
    """The columns of a header that stands in `line` of the file.

    Raises
    ------
    DataError : a column that the mapping needs is missing or stands there twice
    """
    if len(header) > COLUMNS_MAX:
        raise DataError(Problem("too many columns", str(len(header)), file, line))
    problems = _missing(header, mapping, file, line)
    problems += _twice(header, mapping, file, line)
    if problems:
        raise DataError(*problems)
    indexes: dict[str, int] = {}
    joins: list[tuple[int, ...]] = []
    for field, given in mapping.columns.items():
        places = tuple(header.index(name) for name in names(given) if name in header)
        if len(places) == 1:
            indexes[field] = places[0]
        elif places:
            indexes[field] = len(header) + len(joins)
            joins.append(places)
    taken = {*indexes.values(), *(place for join in joins for place in join)}
    return Columns(tuple(header), indexes, tuple(joins), _rest(header, mapping, taken))


def names(given: str | tuple[str, ...]) -> tuple[str, ...]:
    """The columns of one field."""
    return (given,) if isinstance(given, str) else given


def wanted(mapping: FileMapping) -> list[str]:
    """The columns that the mapping names, without repeats."""
    listed = [name for given in mapping.columns.values() for name in names(given)]
    return list(dict.fromkeys(listed))


def is_complete(header: Iterable[str], mapping: FileMapping) -> bool:
    """Whether nothing is missing that the mapping needs."""
    return not _lacking(list(header), mapping)


def _lacking(header: Sequence[str], mapping: FileMapping) -> dict[str, str]:
    """Fields that have to be there, with the column that is missing."""
    there = set(header)
    absent = {
        field: missing[0]
        for field, given in mapping.columns.items()
        if (missing := [name for name in names(given) if name not in there])
    }
    bound = {*mapping.defaults} | {
        field
        for field, given in mapping.columns.items()
        if any(name in there for name in names(given))
    }
    found = {f: name for f, name in absent.items() if f not in mapping.optional}
    for group in REQUIRED[mapping.kind]:
        if not any(field in bound for field in group):
            found |= {field: absent[field] for field in group if field in absent}
    return found


def _missing(
    header: Sequence[str], mapping: FileMapping, file: str, line: int | None
) -> list[Problem]:
    there = f"The file has: {', '.join(header)}."
    found = []
    for field, column in _lacking(header, mapping).items():
        nearest = did_you_mean(column, header)
        found.append(
            Problem(
                f"column `{column}` is missing ({field} in mapping {mapping.name})",
                file=file,
                line=line,
                hint=f"{nearest} {there}" if nearest else there,
            )
        )
    return found


def _twice(
    header: Sequence[str], mapping: FileMapping, file: str, line: int | None
) -> list[Problem]:
    """Of two columns of one name nobody knows which one is meant."""
    used = set(wanted(mapping))
    if mapping.attributes != REST:
        used |= set(mapping.attributes)
    found = []
    for name, count in Counter(header).items():
        if count > 1 and name in used:
            first = header.index(name)
            second = header.index(name, first + 1)
            expected = f"column `{name}` stands twice in the header"
            both = f"columns {first + 1} and {second + 1}"
            hint = "Rename one of the two in the file."
            found.append(Problem(expected, both, file, line, second + 1, hint))
    return found


def _rest(
    header: Sequence[str], mapping: FileMapping, taken: set[int]
) -> dict[str, int]:
    """Columns that become attributes; a second one of a name is `name (2)`."""
    listed = mapping.attributes
    found: dict[str, int] = {}
    seen: Counter[str] = Counter()
    for place, name in enumerate(header):
        seen[name] += 1
        if name and place not in taken and (listed == REST or name in listed):
            found[name if seen[name] == 1 else f"{name} ({seen[name]})"] = place
    return found
