"""JSON as a table: one object a line, or one array of objects in a small file.

Objects within objects become names with dots (`address.city`), lists of words are
joined by semicolons, and what is nested deeper stays JSON.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from typing import Any

from content.columns import COLUMNS_MAX, Columns, bind, wanted
from content.lines import SHOWN, Lines, LineTooLong
from content.mapping import REQUIRED
from content.raw_file import DAMAGE, MARK, encoding_of, text_of, unusable
from content.table import CELL_MAX, CHUNK_CHARACTERS, RAW_MAX, Chunk, Misfit, Table
from content.typed import EXPONENT_MAX, number_word

# The keys of so many objects make the header.
HEADER_OBJECTS = 1000
# An array is one value, and has to be read whole.
ARRAY_MAX = 16 << 20
DEPTH_MAX = 4
LIST_SIGN = ";"

Words = dict[str, str]


class _NotAnObject(Exception):
    """A line of JSON that is no row; the message says why."""


class _Number(str):
    """A number as it is written: floats round, and integers may be endless."""

    __slots__ = ()


class JsonTable(Table):
    """Rows of objects; a key that a row lacks is an empty cell."""

    def _read_columns(self) -> Columns:
        head = self._raw.head()
        self._encoding = encoding_of(head, self._mapping.encoding)
        text = head.decode(self._encoding, errors="replace").lstrip("\ufeff \t\r\n")
        self._array = self._read_array() if text.startswith("[") else None
        header = dict.fromkeys(self._mapping.header)
        problem = ""
        for found in islice(self._objects(), HEADER_OBJECTS):
            if isinstance(found, Misfit):
                problem = problem or found.value or found.reason
            elif len(header) <= COLUMNS_MAX:
                header |= dict.fromkeys(found)
        if not header:
            hint = "Expected is one object a line, or an array of objects."
            raise self._raw.problem("no JSON object", problem or None, 1, hint)
        return bind(self._with_optional(header), self._mapping, self.name, None)

    def _with_optional(self, header: dict[str, None]) -> list[str]:
        """The keys found, and those that may come later.

        Of fields that stand for each other, like price and amount, none comes later.
        """
        named = set(wanted(self._mapping)) - set(header)
        found = {
            group
            for group in REQUIRED[self._mapping.kind]
            if any(name in header for field in group for name in self._names(field))
        }
        late = {
            name
            for field in self._mapping.optional
            for name in self._names(field)
            if name in named and not any(field in group for group in found)
        }
        return [*header, *sorted(late)]

    def _names(self, field: str) -> tuple[str, ...]:
        given = self._mapping.columns.get(field, ())
        return (given,) if isinstance(given, str) else given

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        objects = self._objects(done)
        try:
            while True:
                found: list[list[str]] = []
                characters = 0
                while len(found) < rows and characters < CHUNK_CHARACTERS:
                    row = next(objects, None)
                    if row is None:
                        break
                    found.append(self._row(row))
                    characters += sum(map(len, found[-1])) + len(self.header)
                if not found:
                    return
                yield Chunk(found, done + 1, len(found))
                done += len(found)
        except DAMAGE as error:
            raise self._raw.damaged(error) from error

    def _row(self, words: Words | Misfit) -> list[str]:
        if isinstance(words, Misfit):
            return words
        row = [words.get(name, "") for name in self.header]
        reason = unusable(row, CELL_MAX)
        return Misfit([w.replace(MARK, "�") for w in row], reason, 0) if reason else row

    def _objects(self, done: int = 0) -> Iterator[Words | Misfit]:
        """What each line holds behind line `done`."""
        if self._array is not None:
            for item in islice(self._array, done, None):
                yield self._flat(item, lambda: json.dumps(_plain(item)))  # noqa: B023  called at once
            return
        lines = Lines(text_of(self._raw.stream(), self._encoding))
        lines.skip(done)
        while True:
            lines.forget()
            try:
                line = next(lines, None)
            except LineTooLong as error:
                yield Misfit([str(error.line)], "line_too_long", 0, str(error))
                continue
            if line is None:
                return
            yield self._parsed(line if done else line.removeprefix("\ufeff"))
            done += 1

    def _parsed(self, line: str) -> Words | Misfit:
        text = line.strip()
        if not text:
            return Misfit((), "", 0)
        shown = text.replace(MARK, "�")[:RAW_MAX]
        try:
            value = _loads(text)
        except _NotAnObject as error:
            return Misfit([shown], "bad_json", 0, str(error))
        except json.JSONDecodeError as error:
            place = f"{error.msg}, column {error.colno}"
            return Misfit([shown], "bad_json", 0, place)
        except (ValueError, RecursionError) as error:
            return Misfit([shown], "bad_json", 0, str(error))
        return self._flat(value, lambda: shown)

    def _flat(self, value: Any, shown: Any) -> Words | Misfit:
        if not isinstance(value, dict):
            return Misfit([shown()[:RAW_MAX]], "bad_json", 0, _kind(value))
        found: Words = {}
        self._flatten(value, "", 0, found)
        return found

    def _flatten(
        self, value: dict[str, Any], prefix: str, depth: int, found: Words
    ) -> None:
        for key, item in value.items():
            name = f"{prefix}{key.strip()}"
            if isinstance(item, dict) and item and depth < DEPTH_MAX:
                self._flatten(item, f"{name}.", depth + 1, found)
            else:
                found.setdefault(name, self._word(item))

    def _word(self, value: Any) -> str:
        if value is None:
            return ""
        if value is True or value is False:
            return "true" if value else "false"
        if isinstance(value, _Number):
            return number_word(str(value), self._mapping.decimal)
        if isinstance(value, str):
            return value
        if isinstance(value, list) and not any(
            isinstance(item, dict | list) for item in value
        ):
            return LIST_SIGN.join(self._word(item) for item in value)
        return json.dumps(_plain(value), ensure_ascii=False) if value else ""

    def _read_array(self) -> list[Any]:
        try:
            text = text_of(self._raw.stream(), self._encoding).read(ARRAY_MAX + 1)
            if len(text) > ARRAY_MAX:
                hint = "Write one object a line (JSON Lines); that may be of any size."
                limit = f"more than {ARRAY_MAX >> 20} MB"
                raise self._raw.problem("the array is too large", limit, hint=hint)
            found = _loads(text.lstrip("\ufeff"))
        except json.JSONDecodeError as error:
            hint = "Was it copied or written to its end? Get it again."
            raise self._raw.problem(
                "no valid JSON",
                f"{error.msg}, column {error.colno}",
                error.lineno,
                hint,
            ) from error
        except (_NotAnObject, ValueError, RecursionError) as error:
            raise self._raw.problem("no valid JSON", str(error)[:SHOWN]) from error
        return found if isinstance(found, list) else [found]


def _loads(text: str) -> Any:
    return json.loads(
        text,
        parse_float=_Number,
        parse_int=_Number,
        parse_constant=_refuse,
        object_pairs_hook=_object,
    )


def _refuse(word: str) -> Any:
    raise _NotAnObject(f"{word} is no number of JSON")


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        ((twice, _),) = Counter(key for key, _ in pairs).most_common(1)
        raise _NotAnObject(f"key `{twice}` stands twice")
    return found


def _plain(value: Any) -> Any:
    """The value with numbers that JSON knows as numbers."""
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    if isinstance(value, _Number):
        is_short = len(value) <= EXPONENT_MAX and value.removeprefix("-").isdigit()
        return int(value) if is_short else float(value)
    return value


def _kind(value: Any) -> str:
    names = {list: "a list", bool: "a yes or no", type(None): "null"}
    return names.get(
        type(value), "a number" if isinstance(value, _Number) else "a word"
    )
