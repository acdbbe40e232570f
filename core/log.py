"""Structured logs with constant event names and without personal data."""

from __future__ import annotations

import logging
import re
import sys
from typing import Any

import structlog

# An address, a long number or a bot token has no place in a log; ids have.
_PERSONAL = re.compile(
    r"[\w.+-]+@[\w-]+(?:\.[\w-]+)+|\bbot\d+:[\w-]{20,}|\b\d+:[\w-]{30,}|\+?\d[\d ()-]{8,}\d"
)
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")
# Times and ids are numbers too, and nobody is found by them.
_KEPT_KEYS = frozenset({"timestamp", "level", "event"})


def redact(text: str) -> str:
    """`text` without addresses, phone numbers and tokens, on one line."""
    return _CONTROL.sub(" ", _PERSONAL.sub("[redacted]", text))


def _redact_event(_: Any, __: str, event: dict[str, Any]) -> dict[str, Any]:
    return {
        key: redact(value)
        if isinstance(value, str) and key not in _KEPT_KEYS
        else value
        for key, value in event.items()
    }


class _RedactingFilter(logging.Filter):
    """Cleans what libraries log by themselves."""

    def filter(self, record: logging.LogRecord) -> bool:
        record.msg = redact(record.getMessage())
        record.args = ()
        return True


def configure_logs(level: str, form: str) -> None:
    """Send events to standard error, as text lines or JSON objects."""
    renderer: Any = (
        structlog.processors.JSONRenderer(ensure_ascii=False)
        if form == "json"
        else structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.format_exc_info,
            _redact_event,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(_RedactingFilter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    # These two write whole URLs, and a Bot API URL holds the token.
    for name in ("httpx", "httpcore"):
        logging.getLogger(name).setLevel(logging.WARNING)


def get_logger(part: str) -> Any:
    """A logger bound to one part of the program."""
    return structlog.get_logger(part=part)
