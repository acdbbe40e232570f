from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from content.mapping import FileMapping, Rules
from content.orders import OrderReader
from content.rows import FileDefaults
from content.table import open_table
from core.model import OrderKind
from core.records import RecordKind

DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2026, 3, 1))
HEADER = "order,at,customer,product,name,quantity,price,country,currency\n"
COLUMNS = {
    "order": "order",
    "ordered_at": "at",
    "customer": "customer",
    "product": "product",
    "product_name": "name",
    "quantity": "quantity",
    "price": "price",
    "country": "country",
    "currency": "currency",
}


@pytest.fixture
def read(tmp_path: Path):
    def read(
        text: str, *, header: str = HEADER, position: int = 0, lines=100, **changes
    ):
        path = tmp_path / "orders.csv"
        path.write_text(header + text, encoding="utf-8")
        columns = frozenset(header.strip().split(","))
        given = {
            "columns": {f: c for f, c in COLUMNS.items() if c in columns}
            | changes.pop("columns", {}),
            "dates": ("iso", "%d/%m/%Y %H:%M"),
        }
        mapping = FileMapping("shop", RecordKind.ORDERS, **given | changes)
        with open_table(path, mapping) as table:
            reader = OrderReader(table, mapping, DEFAULTS)
            reader.batch_lines = lines
            return list(reader.batches(position))

    return read


def test_lines_of_an_order_become_one_record(read):
    (batch,) = read(
        "A1,2011-03-01 08:26:00,7,P1,Lamp,6,2.55,Ireland,GBP\n"
        "A1,2011-03-01 08:26:00,7,P2,Cup,1,3,Ireland,GBP\n"
    )

    (order,) = batch.records
    assert (order.external_id, order.customer, order.country) == ("A1", "7", "Ireland")
    assert (order.kind, order.currency) == (OrderKind.SALE, "GBP")
    assert order.lines == [("P1", 6, 1530), ("P2", 1, 300)]
    assert batch.products == {"P1": "Lamp", "P2": "Cup"}
    assert (batch.rows, batch.position) == (2, 3)


@pytest.mark.parametrize(
    ("typed", "zone", "moment"),
    [
        # Winter and summer time of Berlin; a zone in the file counts more.
        ("2011-01-01 12:00", None, datetime(2011, 1, 1, 11, tzinfo=UTC)),
        ("2011-07-01 12:00", None, datetime(2011, 7, 1, 10, tzinfo=UTC)),
        ("2011-07-01T12:00+05:00", None, datetime(2011, 7, 1, 7, tzinfo=UTC)),
        ("2011-07-01 12:00", "Europe/London", datetime(2011, 7, 1, 11, tzinfo=UTC)),
        ("31/12/2011 23:30", "UTC", datetime(2011, 12, 31, 23, 30, tzinfo=UTC)),
    ],
)
def test_local_times_become_utc(read, typed, zone, moment):
    (batch,) = read(f"A1,{typed},7,P1,Lamp,1,1,,\n", timezone=zone)

    assert batch.records[0].ordered_at == moment


@pytest.mark.parametrize(
    ("price", "currency", "decimal", "amount"),
    [
        ("2.55", "EUR", ".", 765),
        ("2.5", "EUR", ".", 750),
        ('"1,234.56"', "EUR", ".", 370368),
        ('"1.234,56"', "EUR", ",", 370368),
        # Yen have no places, Kuwaiti dinars three.
        ("250", "JPY", ".", 750),
        ("1.005", "KWD", ".", 3015),
        # More places than the currency are exact when the line's amount is.
        ("0.3350", "EUR", ".", 101),
    ],
)
def test_amounts_are_exact(read, price, currency, decimal, amount):
    (batch,) = read(f"A1,2011-01-01,7,P1,Lamp,3,{price},,{currency}\n", decimal=decimal)

    assert batch.records[0].lines == [("P1", 3, amount)]


def test_a_price_with_more_places_is_rounded_on_the_line_and_counted(read):
    # 3 x 0.335 = 1.005, half a cent, away from zero.
    (batch,) = read("A1,2011-01-01,7,P1,Lamp,3,0.335,,\n")

    assert batch.records[0].lines == [("P1", 3, 101)]
    assert batch.corrected == {"amount_rounded": 1}
    assert batch.rows_corrected == 1


def test_an_amount_of_the_line_is_taken_as_it_is(read):
    header = "order,at,quantity,amount\n"

    (batch,) = read(
        "A1,2011-01-01,3,10.00\n", header=header, columns={"amount": "amount"}
    )

    assert batch.records[0].lines == [(None, 3, 1000)]


@pytest.mark.parametrize(
    ("row", "reason", "value"),
    [
        ("A1,2011-01-01,7,P1,Lamp,six,1,,", "bad_quantity", "six"),
        ("A1,2011-01-01,7,P1,Lamp,99999999999,1,,", "bad_quantity", "99999999999"),
        ("A1,2011-01-01,7,P1,Lamp,1,1.2.3,,", "bad_number", "1.2.3"),
        ("A1,2011-01-01,7,P1,Lamp,1,99999999999999,,", "bad_number", "9" * 14),
        ("A1,2011-02-30,7,P1,Lamp,1,1,,", "bad_date", "2011-02-30"),
        ("A1,,7,P1,Lamp,1,1,,", "bad_date", ""),
        (",2011-01-01,7,P1,Lamp,1,1,,", "no_order", ""),
        (f"{'A' * 65},2011-01-01,7,P,L,1,1,,", "order_too_long", "A" * 65),
        ("A1,2011-01-01,7,P1,Lamp,1,1,,EURO", "unknown_currency", "EURO"),
        ("A1,2011-01-01,7,P1,Lamp,1,1,", "number_of_fields", "8"),
    ],
)
def test_a_broken_row_is_rejected_and_the_rest_is_read(read, row, reason, value):
    (batch,) = read(
        f"A0,2011-01-01,7,P1,Lamp,1,1,,\n{row}\nA2,2011-01-01,7,P,L,1,1,,\n"
    )

    (reject,) = batch.rejects
    assert (reject.line, reject.reason, reject.value) == (3, reason, value)
    assert [order.external_id for order in batch.records] == ["A0", "A2"]
    assert batch.rows == 3


def test_a_rejected_line_leaves_the_others_of_its_order(read):
    (batch,) = read("A1,2011-01-01,7,P1,Lamp,x,1,,\nA1,2011-01-01,7,P2,Cup,1,2,,\n")

    assert batch.records[0].lines == [("P2", 1, 200)]


def test_a_line_that_contradicts_its_order_is_taken_and_counted(read):
    (batch,) = read(
        "A1,2011-01-01 08:00,7,P1,Lamp,1,1,,\n"
        "A1,2011-01-01 08:01,7,P2,Cup,1,2,,\n"
        "A1,2011-01-01 08:00,8,P3,Pan,1,2,,\n"
    )

    assert len(batch.records[0].lines) == 3
    assert batch.corrected == {
        "order_date_differs": 1,
        "order_customer_differs": 1,
    }


@pytest.mark.parametrize(
    ("row", "kind"),
    [
        ("C9,2011-01-01,7,P1,Lamp,-1,1,,", OrderKind.RETURN),
        ("9,2011-01-01,7,P1,Lamp,-1,1,,", OrderKind.RETURN),
        ("9,2011-01-01,7,P1,Lamp,1,-5,,", OrderKind.RETURN),
        ("9,2011-01-01,7,P1,Lamp,1,1,,", OrderKind.SALE),
    ],
)
def test_returns_are_known_by_prefix_or_sign(read, row, kind):
    (batch,) = read(f"{row}\n", rules=Rules(return_prefix="C"))

    assert batch.records[0].kind is kind


def test_codes_that_are_no_products_leave_money_alone(read):
    (batch,) = read(
        "A1,2011-01-01,7,POST,Postage,1,5,,\n",
        rules=Rules(no_product=frozenset({"POST"})),
    )

    assert batch.records[0].lines == [(None, 1, 500)]
    assert batch.products == {}


def test_a_quantity_over_the_limit_is_kept_and_flagged(read):
    (batch,) = read(
        "A1,2011-01-01,7,P1,Lamp,80995,1,,\nC1,2011-01-01,7,P1,Lamp,-80995,1,,\n",
        rules=Rules(quantity_limit=20_000),
    )

    assert [order.lines[0][1] for order in batch.records] == [80_995, -80_995]
    assert batch.flagged == {"quantity_over_limit": 2}


def test_words_for_missing_and_their_values_are_the_mappings(read):
    (batch,) = read(
        "A1,2011-01-01,?,P1,Lamp,1,1,EIRE,\n",
        missing=("", "?"),
        values={"country": {"EIRE": "Ireland"}},
    )

    assert batch.records[0].customer is None
    assert batch.records[0].country == "Ireland"


def test_a_products_name_is_that_of_its_first_sale(read):
    (batch,) = read(
        "A1,2011-01-01,7,P1,damaged,-3,0,,\n"
        "A2,2011-01-01,7,P1,Lamp,3,2,,\n"
        "A3,2011-01-01,7,P1,LAMP!,3,2,,\n"
    )

    assert batch.products == {"P1": "Lamp"}


THREE_ORDERS = (
    "A1,2011-01-01,7,P1,Lamp,1,1,,\n"
    "A1,2011-01-01,7,P2,Cup,1,1,,\n"
    "A2,2011-01-01,7,P1,Lamp,x,1,,\n"
    "A2,2011-01-01,7,P1,Lamp,1,1,,\n"
    "A3,2011-01-01,7,P1,Lamp,1,1,,\n"
)


def test_batches_end_where_orders_begin(read):
    batches = read(THREE_ORDERS, lines=1)

    assert [[o.external_id for o in b.records] for b in batches] == [
        ["A1"],
        ["A2"],
        ["A3"],
    ]
    assert [batch.position for batch in batches] == [3, 5, 6]
    assert [batch.rows for batch in batches] == [2, 2, 1]
    assert [len(batch.rejects) for batch in batches] == [0, 1, 0]


@pytest.mark.parametrize("done", [0, 1, 2])
def test_reading_on_gives_the_batches_that_were_left(read, done):
    batches = read(THREE_ORDERS, lines=1)
    position = batches[done].position

    assert read(THREE_ORDERS, lines=1, position=position)[-1].position == 6
    rest = read(THREE_ORDERS, lines=100, position=position)
    assert sum(batch.rows for batch in rest) == sum(
        batch.rows for batch in batches[done + 1 :]
    )


def test_an_order_that_comes_again_in_a_batch_is_one_record(read):
    (batch,) = read(
        "A1,2011-01-01,7,P1,Lamp,1,1,,\n"
        "A2,2011-01-01,7,P1,Lamp,1,1,,\n"
        "A1,2011-01-01,7,P2,Cup,1,1,,\n"
    )

    assert [len(order.lines) for order in batch.records] == [2, 1]


# --- orders as a whole ----------------------------------------------------------------

HEAD = "order,at,customer,discount,coupon,status,product,price\n"
OF_HEAD = {name: name for name in ("discount", "coupon", "status")}


def test_discount_coupon_and_status_are_the_first_lines(read):
    (batch,) = read(
        "A1,2011-01-01,7,-2.50,SPRING,paid,P1,10\nA1,,,,,,P2,5\n",
        header=HEAD,
        columns=OF_HEAD,
    )

    (order,) = batch.records
    assert (order.discount_minor, order.coupon, order.status) == (250, "SPRING", "paid")
    assert (order.customer, len(order.lines)) == ("7", 2)
    assert not batch.corrected


def test_an_order_without_them_has_none(read):
    (batch,) = read("A1,2011-01-01,7,,,,P1,10\n", header=HEAD, columns=OF_HEAD)

    (order,) = batch.records
    assert (order.discount_minor, order.coupon, order.status) == (0, None, None)


@pytest.mark.parametrize(
    ("row", "reason", "column"),
    [
        ("A1,2011-01-01,7,much,,,P1,10", "bad_number", "discount"),
        ("A1,soon,7,,,,P1,10", "bad_date", "at"),
        ("A1,2011-01-01,7,,,,P1,ten", "bad_number", "price"),
        (f"A1,2011-01-01,7,,{'X' * 65},,P1,1", "coupon_too_long", "coupon"),
    ],
)
def test_a_reject_names_the_files_column(read, row, reason, column):
    (batch,) = read(f"{row}\n", header=HEAD, columns=OF_HEAD)

    assert [(r.reason, r.column) for r in batch.rejects] == [(reason, column)]
