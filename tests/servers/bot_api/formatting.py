"""Texts as Telegram keeps them: plain, with entities counted in UTF-16 units."""

from __future__ import annotations

import re
from html.parser import HTMLParser

from tests.servers.bot_api.answers import Json, bad_request
from tests.servers.bot_api.params import Params

TEXT_LIMIT = 4096
_COMMAND = re.compile(r"/[A-Za-z0-9_]{1,32}(@\w+)?")
_KINDS = {
    "b": "bold",
    "strong": "bold",
    "i": "italic",
    "em": "italic",
    "u": "underline",
    "s": "strikethrough",
    "code": "code",
    "pre": "pre",
    "a": "text_link",
    "blockquote": "blockquote",
}


def utf16_length(text: str) -> int:
    return len(text.encode("utf-16-le")) // 2


class _Html(HTMLParser):
    """Collects the text between tags and what the tags say of it."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.text = ""
        self.entities: list[Json] = []
        self._open: list[tuple[str, int, str | None]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag not in _KINDS:
            raise bad_request(f'can\'t parse entities: Unsupported start tag "{tag}"')
        self._open.append((tag, utf16_length(self.text), dict(attrs).get("href")))

    def handle_endtag(self, tag: str) -> None:
        if not self._open or self._open[-1][0] != tag:
            raise bad_request("can't parse entities: Unexpected end tag")
        _, start, link = self._open.pop()
        length = utf16_length(self.text) - start
        entity: Json = {"type": _KINDS[tag], "offset": start, "length": length}
        self.entities.append({**entity, "url": link} if link else entity)

    def handle_data(self, data: str) -> None:
        self.text += data

    def close(self) -> None:
        super().close()
        if self._open:
            raise bad_request("can't parse entities: Can't find end tag")


def outgoing_text(params: Params) -> Json:
    """`text` and `entities` of a message that the bot sends, checked."""
    text, entities = params.text("text"), params.tree("entities", [])
    mode = params.text("parse_mode").lower()
    if mode == "html":
        parser = _Html()
        parser.feed(text)
        parser.close()
        text, entities = parser.text, parser.entities
    elif mode:
        # MarkdownV2 is not emulated; our bot writes plain text or HTML.
        raise bad_request("unsupported parse_mode")
    if not text.strip():
        raise bad_request("message text is empty")
    if len(text) > TEXT_LIMIT:
        raise bad_request("message is too long")
    return {"text": text, "entities": entities} if entities else {"text": text}


def incoming_text(text: str) -> Json:
    """`text` and `entities` of what a user wrote; clients find commands by these."""
    command = _COMMAND.match(text)
    if command is None:
        return {"text": text}
    length = len(command.group())
    return {
        "text": text,
        "entities": [{"type": "bot_command", "offset": 0, "length": length}],
    }
