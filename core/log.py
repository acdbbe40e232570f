"""Structured logs with constant event names and without personal data."""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import MutableMapping
from datetime import date
from typing import Any

import structlog

# An address, a long number or a bot token has no place in a log; ids have.
_PERSONAL = re.compile(
    r"""
      [\w.+-]+@[\w-]+(?:\.[\w-]+)*  # an e-mail address, of this machine too
    | \bbot\d+:[\w-]{20,}           # a token as it stands in Bot API URLs
    | \b\d+:[\w-]{30,}              # a token by itself
    | \+?\d[\d ()-]{8,}\d           # a telephone number
    """,
    re.VERBOSE,
)
# C0 and C1 controls and the line separators: they could forge a line or move the
# cursor of a terminal. Only a traceback keeps its line feeds.
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")
_CONTROL_BUT_LINE_FEED = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u2028\u2029]")
# A time looks like a telephone number, and nobody is found by it.
_KEPT_KEYS = frozenset({"timestamp", "level"})


def redact(text: str) -> str:
    """`text` without addresses, phone numbers and tokens, on one line."""
    return _CONTROL.sub(" ", _PERSONAL.sub("[redacted]", text))


def _redact_value(key: str, value: Any) -> Any:
    if key in _KEPT_KEYS or value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, date):
        return value.isoformat()
    if key == "exception":
        return _CONTROL_BUT_LINE_FEED.sub(" ", _PERSONAL.sub("[redacted]", str(value)))
    if isinstance(value, dict):
        return {redact(str(k)): _redact_value("", v) for k, v in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_redact_value("", item) for item in value]
    return redact(str(value))


def _redact_event(
    _: Any, __: str, event: MutableMapping[str, Any]
) -> MutableMapping[str, Any]:
    return {key: _redact_value(key, value) for key, value in event.items()}


class _StandardError:
    """Writes lines to what is standard error now, not when a logger was made."""

    def msg(self, message: str) -> None:
        sys.stderr.write(message + "\n")

    debug = info = warning = error = critical = msg


def _standard_error(*_: Any) -> _StandardError:
    return _StandardError()


class _Handler(logging.Handler):
    """Puts what libraries log through standard `logging` beside our own events."""

    def emit(self, record: logging.LogRecord) -> None:
        try:
            _StandardError().msg(self.format(record))
        except Exception:  # noqa: BLE001  a broken log line must not end the program
            # The base class would print the arguments as they are.
            get_logger("log").warning("log_record_unreadable", logger=record.name)


def configure_logs(level: str, form: str) -> None:
    """Send events to standard error, as text lines or JSON objects."""
    before: list[Any] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    after: list[Any] = [
        structlog.processors.format_exc_info,
        _redact_event,
        _renderer(form),
    ]
    structlog.configure(
        processors=[*before, *after],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=_standard_error,
        cache_logger_on_first_use=True,
    )
    handler = _Handler()
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                *after,
            ],
        )
    )
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # These two write whole URLs, and a Bot API URL holds the token.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _renderer(form: str) -> Any:
    if form == "json":
        return structlog.processors.JSONRenderer(ensure_ascii=False)
    return structlog.dev.ConsoleRenderer(
        colors=sys.stderr.isatty(),
        # The other formatters show local variables, where personal data stands.
        exception_formatter=structlog.dev.plain_traceback,
    )


def get_logger(part: str) -> Any:
    """A logger bound to one part of the program."""
    return structlog.get_logger(part=part)
