from __future__ import annotations

import json
import logging
from datetime import UTC, datetime

import pytest

from core.log import configure_logs, get_logger, redact

ADDRESS = "canary.bird+shop@mail.example"
TOKEN = "110201543:AAHdqTcvCH1vGWJxfSeofSAs0K5PALDsaw0"
PHONE = "+49 (170) 123-45 67"
FORMS = pytest.mark.parametrize("form", ["text", "json"])


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        (f"to {ADDRESS}", "to [redacted]"),
        ("to root@localhost.", "to [redacted]."),
        ("to 李@例子.example", "to [redacted]"),
        (f"call {PHONE} now", "call [redacted] now"),
        (f"with {TOKEN}", "with [redacted]"),
        (f"POST /bot{TOKEN}/getMe", "POST /[redacted]/getMe"),
        # What identifies nobody outside stays readable.
        ("delivery 4711 of run 12", "delivery 4711 of run 12"),
        ("took 0.25 s", "took 0.25 s"),
    ],
)
def test_redacts_what_is_personal_or_secret(text: str, clean: str) -> None:
    assert redact(text) == clean


@pytest.mark.parametrize(
    "control", ["\x00", "\r\n", "\x1b[2J", "\x7f", "\x9b", "\u2028"]
)
def test_control_characters_become_blanks(control: str) -> None:
    clean = redact(f"a{control}b")

    assert clean.isprintable()


@FORMS
@pytest.mark.parametrize(
    "value",
    [
        ADDRESS,
        TOKEN,
        PHONE,
        {"to": [ADDRESS]},
        {ADDRESS: 1},
        ValueError(f"refused: {ADDRESS}"),
    ],
)
def test_no_field_of_an_event_shows_it(
    capsys: pytest.CaptureFixture[str], form: str, value: object
) -> None:
    configure_logs("info", form)

    get_logger("mail").info("message_refused", delivery=4711, value=value)

    written = capsys.readouterr().err
    assert "message_refused" in written
    assert "4711" in written
    assert "[redacted]" in written
    assert not any(secret in written for secret in (ADDRESS, TOKEN, PHONE))


def raise_with_canary() -> None:
    local_address = ADDRESS
    raise ValueError(f"no such mailbox: {local_address}")


@FORMS
@pytest.mark.parametrize("logger", [get_logger("mail"), logging.getLogger("vendor")])
def test_a_traceback_shows_the_error_without_the_address(
    capsys: pytest.CaptureFixture[str], form: str, logger: logging.Logger
) -> None:
    configure_logs("info", form)

    try:
        raise_with_canary()
    except ValueError:
        logger.exception("turn_failed")

    written = capsys.readouterr().err
    assert "no such mailbox: [redacted]" in written
    assert ADDRESS not in written


@FORMS
def test_a_forged_line_stays_inside_its_event(
    capsys: pytest.CaptureFixture[str], form: str
) -> None:
    configure_logs("info", form)

    get_logger("bot").info("message_received", text="hi\n2026 [error] forged\x1b[31m")
    logging.getLogger("vendor").warning("hi %s", "\n2026 [error] forged")

    assert len(capsys.readouterr().err.splitlines()) == 2


def test_httpx_does_not_tell_the_token(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("debug", "text")

    logging.getLogger("httpx").info("HTTP Request: POST /bot%s/getMe", TOKEN)
    logging.getLogger("httpcore.http11").debug("send_request %s", TOKEN)

    assert capsys.readouterr().err == ""


def test_a_vendor_warning_is_redacted_too(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "text")

    logging.getLogger("httpx").warning("failed: POST /bot%s/getMe", TOKEN)

    written = capsys.readouterr().err
    assert "failed: POST /[redacted]/getMe" in written


def test_json_lines_can_be_read_by_a_program(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "json")

    get_logger("clock").warning("late", seconds=2.5, customer="王")
    logging.getLogger("vendor").warning("slow")

    ours, vendor = map(json.loads, capsys.readouterr().err.splitlines())
    assert (ours["event"], ours["level"], ours["part"]) == ("late", "warning", "clock")
    assert (ours["seconds"], ours["customer"]) == (2.5, "王")
    assert (vendor["event"], vendor["level"]) == ("slow", "warning")


def test_events_below_the_level_are_silent(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("warning", "text")

    get_logger("clock").info("tick")

    assert capsys.readouterr().err == ""


def test_a_vendor_line_that_cannot_be_formatted_is_told_without_its_values(
    capsys: pytest.CaptureFixture[str],
) -> None:
    configure_logs("info", "text")

    logging.getLogger("vendor").warning("%d messages", ADDRESS)

    written = capsys.readouterr().err
    assert "log_record_unreadable" in written
    assert ADDRESS not in written


def test_a_moment_stays_readable(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logs("info", "json")

    get_logger("clock").info("due", at=datetime(2026, 3, 1, 12, 30, tzinfo=UTC))

    assert '"at": "2026-03-01T12:30:00+00:00"' in capsys.readouterr().err
