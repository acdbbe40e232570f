"""What the shipped mappings make of tickets, calls and ratings."""

from __future__ import annotations

from datetime import UTC, date, datetime

from content.conversations import conversation_reader
from content.feedback import feedback_reader
from content.guess import settle
from content.mapping_file import find_mapping
from content.rows import FileDefaults
from content.table import open_table
from core.model import CaseKind, EpisodeEnd
from core.settings import ROOT

FILES = ROOT / "tests" / "app" / "files"
DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2024, 6, 1))


def records(name: str, reader=conversation_reader) -> list:
    file = FILES / f"{name}.csv"
    mapping, _ = settle(find_mapping(name, ROOT / "templates"), file)
    with open_table(file, mapping) as table:
        batches = list(reader(table, mapping, DEFAULTS).batches())
    assert [reject for batch in batches for reject in batch.rejects] == []
    return [record for batch in batches for record in batch.records]


def test_tickets_of_zendesk():
    solved, open_ = records("zendesk-tickets")

    assert solved.kind is CaseKind.MAIL
    assert solved.ended is EpisodeEnd.RESOLVED
    assert solved.opened_at == datetime(2024, 5, 3, 14, tzinfo=UTC)
    # Twelve minutes.
    assert solved.first_response_at == datetime(2024, 5, 3, 14, 12, tzinfo=UTC)
    assert (solved.score, open_.score) == (5, None)
    assert open_.closed_at is None
    assert open_.customer == "4002"


def test_calls_of_the_call_center():
    answered, missed = records("call-center")

    assert answered.kind is CaseKind.CALL
    assert answered.opened_at == datetime(2021, 1, 1, 8, 12, 58, tzinfo=UTC)
    assert answered.handling_seconds == 143
    assert (answered.ended, missed.ended) == (
        EpisodeEnd.RESOLVED,
        EpisodeEnd.ABANDONED,
    )


def test_the_last_row_of_a_ticket_of_the_incident_log_comes_last():
    first, last, other = records("incident-log")

    assert (first.agent, last.agent) == (None, "89")
    assert first.external_id == last.external_id
    assert other.customer is None


def test_plain_conversations():
    chat, call = records("conversations")

    assert chat.handling_seconds == 310
    assert chat.score == 4
    assert call.ended is EpisodeEnd.ABANDONED


def test_plain_feedback():
    good, bad = records("feedback", feedback_reader)

    assert (good.score, bad.score) == (5, 2)
    assert bad.issue == "late delivery"
