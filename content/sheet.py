"""A sheet of a workbook (.xlsx) as a table; a line is a row of the sheet."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from functools import cached_property
from typing import Any
from xml.etree.ElementTree import Element

from content.columns import COLUMNS_MAX, Columns, bind, is_complete
from content.raw_file import RawFile, unusable
from content.table import CELL_MAX, CHUNK_CHARACTERS, HEADER_LINES, Chunk, Misfit, Table
from content.typed import moment_word, number_word
from content.workbook import (
    DAMAGE,
    ROW_MAX,
    Parts,
    Workbook,
    find_sheet,
    local,
    read_workbook,
    text_of,
)
from core.errors import DataError

# The most that a sheet has.
ROWS_MAX = 1 << 20
# Excel's word for a value that isn't there; the other errors are mistakes.
NOT_AVAILABLE = "#N/A"
NO_VALUE = "a formula without its value"


class CellError(Exception):
    """A cell shows an error of Excel, or a formula that was never worked out."""


class SheetTable(Table):
    """One sheet; rows are as wide as its header, wholly empty ones are blank."""

    def _read_columns(self) -> Columns:
        try:
            self._parts = Parts(self._raw)
            workbook = read_workbook(self._parts, self._raw)
            self._sheet = find_sheet(workbook, self._mapping.sheet, self._raw)
            self._cells = _Cells(workbook, self._mapping.decimal)
            return self._find_header()
        except DataError:
            raise
        except DAMAGE as error:
            raise _damaged(self._raw, error) from error

    def _find_header(self) -> Columns:
        """The first row that names all columns; else, the first that isn't blank."""
        mapping = self._mapping
        if mapping.header:
            return bind(mapping.header, mapping, self.name, None)
        first: tuple[int, list[str]] | None = None
        for number, cells in self._rows():
            if number > HEADER_LINES:
                break
            words = [word.strip() for word in self._cells.shown(cells)]
            if any(words) and (first is None or is_complete(words, mapping)):
                first = number, words
                if is_complete(words, mapping):
                    break
        if first is None:
            sheet = f"sheet `{self._sheet.name}`"
            raise self._raw.problem(f"no header in the first rows of {sheet}")
        number, words = first
        reason = unusable(words, CELL_MAX)
        if reason:
            raise self._raw.problem("the header is no text", reason, number)
        columns = bind(_without_end(words), mapping, self.name, number)
        self._header_line = number
        return columns

    def _chunks(self, done: int, rows: int) -> Iterator[Chunk]:
        found: list[list[str]] = []
        characters = 0
        try:
            for line, row in self._all_rows(done):
                found.append(row)
                characters += sum(map(len, row))
                if len(found) >= rows or characters > CHUNK_CHARACTERS:
                    yield Chunk(found, line - len(found) + 1, len(found))
                    done, found, characters = line, [], 0
        except DAMAGE as error:
            raise _damaged(self._raw, error) from error
        if found:
            yield Chunk(found, done + 1, len(found))

    def _all_rows(self, done: int) -> Iterator[tuple[int, list[str]]]:
        """Rows behind row `done`, the ones that are not stored as blanks."""
        for number, cells in self._rows():
            if number <= done:
                continue
            for missing in range(done + 1, number):
                yield missing, Misfit((), "", 0)
            yield number, self._row(cells)
            done = number

    def _rows(self) -> Iterator[tuple[int, list[Element]]]:
        last = 0
        for element in self._parts.elements(self._sheet.part, "row", ROW_MAX):
            number = int(element.get("r") or last + 1)
            if not last < number <= ROWS_MAX:
                raise ValueError(f"row {number} after row {last}")
            yield number, [cell for cell in element if local(cell) == "c"]
            last = number

    def _row(self, cells: list[Element]) -> list[str]:
        width = len(self.header)
        words, errors = self._cells.words(cells)
        if len(words) > width:
            words = _without_end(words, width)
        words.extend([""] * (width - len(words)))
        if not any(words) and not errors:
            return Misfit((), "", 0)
        if len(words) != width:
            return Misfit(words, "number_of_fields", 0, str(len(words)))
        wrong = next((p for p in errors if p in self._used), None)
        if wrong is not None:
            return Misfit(words, "cell_error", 0, errors[wrong])
        reason = unusable(words, CELL_MAX)
        return Misfit(words, reason, 0) if reason else words

    @cached_property
    def _used(self) -> frozenset[int]:
        """Places whose words are taken."""
        joined = (place for join in self._joins for place in join)
        return frozenset({*self.indexes.values(), *self.rest.values(), *joined})


class _Cells:
    """Cells of one workbook as words."""

    def __init__(self, workbook: Workbook, decimal: str) -> None:
        self._strings = workbook.strings
        self._styles = workbook.styles
        self._decimal = decimal
        self._from_excel = _moments(workbook)

    def shown(self, cells: list[Element]) -> list[str]:
        return self.words(cells)[0]

    def words(self, cells: list[Element]) -> tuple[list[str], dict[int, str]]:
        """The words from the first column on; errors by their place."""
        words: list[str] = []
        errors: dict[int, str] = {}
        for cell in cells:
            reference = cell.get("r")
            place = _place(reference) if reference else len(words)
            if place >= COLUMNS_MAX:
                raise ValueError(f"cell {reference}")
            if place >= len(words):
                words.extend([""] * (place + 1 - len(words)))
            try:
                words[place] = self._word(cell)
            except CellError as error:
                words[place] = errors[place] = str(error)
        return words, errors

    def _word(self, cell: Element) -> str:
        kind = cell.get("t", "n")
        value: str | None = None
        has_formula = False
        for child in cell:
            tag = local(child)
            if tag == "v":
                value = child.text
            elif tag == "is":
                return text_of(child)
            elif tag == "f":
                has_formula = True
        if value is None:
            if has_formula and kind != "str":
                raise CellError(NO_VALUE)
            return ""
        return self._typed(kind, value, cell)

    def _typed(self, kind: str, value: str, cell: Element) -> str:
        if kind == "s":
            return self._strings[abs(int(value))]
        if kind == "n":
            return self._number(value.strip(), int(cell.get("s") or 0))
        if kind == "b":
            return "true" if value.strip() == "1" else "false"
        if kind == "e":
            if value == NOT_AVAILABLE:
                return ""
            raise CellError(value)
        return value

    def _number(self, value: str, style: int) -> str:
        if style in self._styles.moments:
            try:
                moment = self._from_excel(float(value), style in self._styles.spans)
            except (ValueError, OverflowError):
                raise CellError(value) from None
            return moment_word(moment)
        return number_word(value if value.isdigit() else float(value), self._decimal)


def _moments(workbook: Workbook) -> Callable[[float, bool], Any]:
    from openpyxl.utils.datetime import (  # noqa: PLC0415  heavy, and only workbooks need it
        MAC_EPOCH,
        WINDOWS_EPOCH,
        from_excel,
    )

    epoch = MAC_EPOCH if workbook.is_1904 else WINDOWS_EPOCH

    def moment(value: float, is_span: bool) -> Any:
        found = from_excel(value, epoch, timedelta=is_span)
        return timedelta() if found is None else found

    return moment


def _place(reference: str) -> int:
    """`B7` is 1."""
    place = 0
    for letter in reference.upper():
        if not "A" <= letter <= "Z":
            break
        place = place * 26 + ord(letter) - 64
        if place > COLUMNS_MAX:
            break
    return max(place, 1) - 1


def _without_end(words: list[str], least: int = 0) -> list[str]:
    """Without empty words at the end, but never shorter than `least`."""
    end = len(words)
    while end > least and not words[end - 1].strip():
        end -= 1
    return words[:end]


def _damaged(raw: RawFile, error: BaseException) -> DataError:
    hint = "Open it in a spreadsheet and save it again, or get it again."
    return raw.problem("the workbook is damaged", str(error), hint=hint)
