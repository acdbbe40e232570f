"""Buttons under a message: checked when sent, found when pressed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from tests.servers.bot_api.answers import Json, bad_request
from tests.servers.bot_api.params import Params

DATA_LIMIT_BYTES = 64
_OTHER_MARKUPS = {"keyboard", "remove_keyboard", "force_reply"}


def inline_keyboard(params: Params) -> Json | None:
    """The inline keyboard of a call, or None; others are taken and not shown."""
    markup = params.tree("reply_markup")
    if not markup or _OTHER_MARKUPS & markup.keys():
        return None
    rows = markup.get("inline_keyboard")
    if not isinstance(rows, list):
        raise bad_request("object expected as reply markup")
    for row in rows:
        for button in row:
            _check(button)
    return {"inline_keyboard": rows} if any(rows) else None


def _check(button: Any) -> None:
    if not isinstance(button, dict) or not button.get("text"):
        raise bad_request("inline keyboard button must have text")
    data = button.get("callback_data")
    if data is None and len(button) < 2:
        raise bad_request("text buttons are unallowed in the inline keyboard")
    if data is not None and not 0 < len(data.encode()) <= DATA_LIMIT_BYTES:
        raise bad_request("BUTTON_DATA_INVALID")


def buttons(message: Json) -> Iterator[Json]:
    """The buttons under a message, row by row."""
    for row in message.get("reply_markup", {}).get("inline_keyboard", ()):
        yield from row
