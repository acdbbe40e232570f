"""What customers did beside ordering, read from a table row by row."""

from __future__ import annotations

from content.mapping import FileMapping
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from core.records import EventRecord


def event_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[EventRecord]:
    """Reads events; the columns that the mapping calls attributes become data."""
    forms = Forms(mapping, defaults)

    def event(cells: Cells) -> EventRecord:
        value, currency = forms.money(cells, "value")
        return EventRecord(
            line=cells.line,
            external_id=cells.identifier("id"),
            customer=cells.required("customer"),
            kind=cells.required("event"),
            at=forms.required_moment(cells, "at"),
            product=cells.identifier("product"),
            value_minor=value,
            currency=currency,
            data=cells.others(table.rest),
        )

    return RowReader(table, mapping, event)
