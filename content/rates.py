"""What currencies are worth, read from a table row by row."""

from __future__ import annotations

from content.mapping import FileMapping
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from content.values import BadValue, minor_places
from core.records import RateRecord

# Beyond these a column holds something else, or is read with the wrong decimal sign.
RATE_MIN, RATE_MAX = 1e-7, 1e7


def rate_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[RateRecord]:
    """Reads rates: what one unit is worth in the shop's currency, from a day on."""
    forms = Forms(mapping, defaults)

    def rate(cells: Cells) -> RateRecord:
        currency = cells.required("currency").upper()
        minor_places(currency)
        day = forms.moments.day(cells.word("day") or "")
        text = cells.word("rate") or ""
        value = float(forms.numbers.exact(text))
        if not RATE_MIN <= value <= RATE_MAX:
            raise BadValue("bad_rate", text)
        return RateRecord(cells.line, currency, day, value)

    return RowReader(table, mapping, rate)
