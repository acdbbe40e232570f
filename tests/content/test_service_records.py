"""Events, ratings, conversations and rates, as rows of a file tell of them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from content.conversations import conversation_reader
from content.events import event_reader
from content.feedback import feedback_reader
from content.mapping import REST, FileMapping, Rules
from content.rates import rate_reader
from content.rows import FileDefaults
from content.table import open_table
from core.model import CaseKind, EpisodeEnd
from core.records import EventRecord, RateRecord, RecordKind

DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2026, 3, 1))
READERS = {
    RecordKind.EVENTS: event_reader,
    RecordKind.FEEDBACK: feedback_reader,
    RecordKind.CONVERSATIONS: conversation_reader,
    RecordKind.RATES: rate_reader,
}
# Nine in the morning in Berlin.
NINE = datetime(2026, 3, 2, 8, tzinfo=UTC)
SECOND = timedelta(seconds=1)


@pytest.fixture
def read(tmp_path: Path):
    """Records and rejects of a file whose columns are named as our fields are."""

    def read(kind, header, *lines, position=0, **changes):
        path = tmp_path / "file.csv"
        path.write_text("\n".join([header, *lines, ""]), encoding="utf-8")
        fields = [name for name in header.split(";") if not name.isupper()]
        mapping = FileMapping(
            "shop",
            kind,
            delimiter=";",
            columns={name: name for name in fields},
            attributes=REST,
            **changes,
        )
        with open_table(path, mapping) as table:
            reader = READERS[kind](table, mapping, DEFAULTS)
            batches = list(reader.batches(position))
        records = [record for batch in batches for record in batch.records]
        return records, [reject for batch in batches for reject in batch.rejects]

    return read


def wrong(rejects):
    return [(reject.reason, reject.value, reject.column) for reject in rejects]


# --- events and rates -----------------------------------------------------------------


def test_an_event_keeps_other_columns_as_data(read):
    header = "customer;event;at;product;value;PAGE"

    records, _ = read(RecordKind.EVENTS, header, "7;visit;2026-03-02 09:00;P1;2.5;/a")

    assert records == [
        EventRecord(2, None, "7", "visit", NINE, "P1", 250, "EUR", {"PAGE": "/a"})
    ]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        (";visit;2026-03-02;", ("no_customer", "", "customer")),
        ("7;;2026-03-02;", ("no_event", "", "event")),
        ("7;visit;;", ("bad_date", "", "at")),
        ("7;visit;2026-03-02;dear", ("bad_number", "dear", "value")),
    ],
)
def test_a_wrong_event_is_rejected(read, row, found):
    _, rejects = read(RecordKind.EVENTS, "customer;event;at;value", row)

    assert wrong(rejects) == [found]


def test_a_rate_is_of_a_day(read):
    records, _ = read(
        RecordKind.RATES, "currency;day;rate", "usd;2026-03-01;0,9215", decimal=","
    )

    assert records == [RateRecord(2, "USD", date(2026, 3, 1), 0.9215)]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("dollar;2026-03-01;1", ("unknown_currency", "DOLLAR", "currency")),
        (";2026-03-01;1", ("no_currency", "", "currency")),
        ("USD;soon;1", ("bad_date", "soon", "day")),
        ("USD;2026-03-01;", ("bad_number", "", "rate")),
        ("USD;2026-03-01;0", ("bad_rate", "0", "rate")),
        ("USD;2026-03-01;-1", ("bad_rate", "-1", "rate")),
    ],
)
def test_a_wrong_rate_is_rejected(read, row, found):
    _, rejects = read(RecordKind.RATES, "currency;day;rate", row)

    assert wrong(rejects) == [found]


# --- ratings --------------------------------------------------------------------------


def test_a_score_of_another_scale_becomes_ours_and_is_kept(read):
    header = "id;answered_at;score"

    (record,), _ = read(
        RecordKind.FEEDBACK, header, "1;2026-03-02 09:00;7.0", scale=(0, 10)
    )

    assert (record.score, record.given_score, record.given_scale) == (4, 7.0, "0-10")
    assert record.answered_at == NINE


def test_words_are_scores_by_the_mapping(read):
    records, _ = read(
        RecordKind.FEEDBACK,
        "id;answered_at;score;comment",
        "1;2026-03-02;good;",
        "2;2026-03-02;offered;Hm",
        values={"score": {"good": "5", "offered": ""}},
    )

    assert [record.score for record in records] == [5, None]


@pytest.mark.parametrize(
    ("row", "found"),
    [
        ("1;2026-03-02;6", ("bad_score", "6", "score")),
        ("1;2026-03-02;good", ("bad_score", "good", "score")),
        ("1;2026-03-02;", ("no_score", "", "score")),
        ("1;;4", ("bad_date", "", "answered_at")),
    ],
)
def test_a_wrong_rating_is_rejected(read, row, found):
    _, rejects = read(RecordKind.FEEDBACK, "id;answered_at;score", row)

    assert wrong(rejects) == [found]


@pytest.mark.parametrize(
    ("word", "channel"),
    [("Phone", "call"), ("Telegram", "telegram"), ("Email", "email"), ("Fax", "fax")],
)
def test_a_channel_is_one_of_ours_where_it_can_be(read, word, channel):
    row = f"1;2026-03-02;4;{word}"

    (record,), _ = read(RecordKind.FEEDBACK, "id;answered_at;score;channel", row)

    assert record.channel == channel


def test_alike_ratings_of_nobody_are_several(read):
    row = "2026-03-02;4"

    first, _ = read(RecordKind.FEEDBACK, "answered_at;score", row, row)
    more, _ = read(RecordKind.FEEDBACK, "answered_at;score", row, row, row)

    ids = [record.external_id for record in more]
    assert len(set(ids)) == 3
    assert [record.external_id for record in first] == ids[:2]


def test_alike_ratings_keep_their_ids_where_reading_goes_on(read):
    row = "2026-03-02;4"
    records, _ = read(RecordKind.FEEDBACK, "answered_at;score", row, row, row)

    rest, _ = read(RecordKind.FEEDBACK, "answered_at;score", row, row, row, position=2)

    assert rest == records[1:]


def test_a_named_rating_is_told_once_whatever_it_says(read):
    header = "customer;answered_at;score"

    records, _ = read(
        RecordKind.FEEDBACK,
        header,
        "7;2026-03-02;4",
        "7;2026-03-02;2",
        "8;2026-03-02;4",
    )

    one, again, other = (record.external_id for record in records)
    assert one == again != other


# --- conversations --------------------------------------------------------------------


@pytest.mark.parametrize(
    ("word", "kind"),
    [
        ("Email", CaseKind.MAIL),
        ("phone", CaseKind.CALL),
        ("电话", CaseKind.CALL),
        ("chat", CaseKind.CHAT),
        ("", CaseKind.REQUEST),
    ],
)
def test_kinds_of_conversation(read, word, kind):
    row = f"T1;{word};2026-03-02 09:00"

    (record,), _ = read(RecordKind.CONVERSATIONS, "id;kind;opened_at", row)

    assert (record.kind, record.opened_at) == (kind, NINE)


@pytest.mark.parametrize(
    ("kind", "closed", "word", "closed_after", "ended"),
    [
        # A close alone is a solution; a word alone says when it was over.
        ("mail", "2026-03-02 09:01", "", 60, EpisodeEnd.RESOLVED),
        ("mail", "", "solved", 40, EpisodeEnd.RESOLVED),
        ("mail", "", "", None, None),
        ("mail", "2026-03-02 09:01", "pending", None, None),
        # A call is over, whatever the file says.
        ("call", "", "", 40, EpisodeEnd.RESOLVED),
        ("call", "", "missed", 40, EpisodeEnd.ABANDONED),
        ("chat", "2026-03-02 09:01", "未接", 60, EpisodeEnd.ABANDONED),
    ],
)
def test_ends_of_conversations(read, kind, closed, word, closed_after, ended):
    header = "id;kind;opened_at;closed_at;ended;first_response_seconds;handling_seconds"
    row = f"T1;{kind};2026-03-02 09:00;{closed};{word};10;0:30"

    (record,), _ = read(RecordKind.CONVERSATIONS, header, row)

    at = None if closed_after is None else NINE + closed_after * SECOND
    assert (record.closed_at, record.ended) == (at, ended)
    assert record.first_response_at == NINE + 10 * SECOND


def test_durations_are_in_the_unit_of_the_mapping(read):
    header = "id;opened_at;first_response_seconds;handling_seconds"
    row = "T1;2026-03-02 09:00;2;0:00:30"

    (record,), _ = read(
        RecordKind.CONVERSATIONS, header, row, rules=Rules(seconds_per_unit=60)
    )

    assert record.first_response_at == NINE + 120 * SECOND
    assert record.handling_seconds == 30


def test_a_conversation_carries_its_rating(read):
    header = "id;opened_at;score;issue;comment;reopened"

    (record,), _ = read(
        RecordKind.CONVERSATIONS, header, "T1;2026-03-02 09:00;2;late;Hm;3"
    )

    given = record.score, record.given_scale, record.issue, record.comment
    assert given == (2, "1-5", "late", "Hm")
    assert record.reopened == 3


@pytest.mark.parametrize(
    ("header", "row", "found"),
    [
        ("kind", "fax", ("bad_kind", "fax", "kind")),
        ("ended", "somehow", ("bad_end", "somehow", "ended")),
        ("closed_at", "2026-03-01", ("before_opened", "2026-03-01", "closed_at")),
        (
            "first_response_at",
            "2026-03-01",
            ("before_opened", "2026-03-01", "first_response_at"),
        ),
        ("handling_seconds", "-5", ("bad_duration", "-5", "handling_seconds")),
        ("reopened", "-1", ("bad_count", "-1", "reopened")),
        ("score", "9", ("bad_score", "9", "score")),
        ("agent", "x" * 321, ("agent_too_long", "x" * 321, "agent")),
    ],
)
def test_a_wrong_conversation_is_rejected(read, header, row, found):
    _, rejects = read(
        RecordKind.CONVERSATIONS, f"id;opened_at;{header}", f"T1;2026-03-02 09:00;{row}"
    )

    assert wrong(rejects) == [found]
