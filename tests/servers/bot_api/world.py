"""What the emulator knows: users, chats, messages and the bot's own settings."""

from __future__ import annotations

import asyncio
import itertools
import time
from dataclasses import dataclass, field
from typing import Any

from tests.servers.bot_api.answers import BLOCKED, ApiError, Json, bad_request
from tests.servers.bot_api.formatting import incoming_text
from tests.servers.bot_api.keyboards import buttons
from tests.servers.bot_api.params import Params
from tests.servers.bot_api.updates import UpdateQueue

FIRST_UPDATE_ID = 100_000_001


@dataclass(slots=True)
class Chat:
    """One chat with its messages as the people in it see them now."""

    id: int
    kind: str = "private"
    name: str = ""
    language: str = "en"
    refusal: ApiError | None = None
    messages: dict[int, Json] = field(default_factory=dict)

    def as_json(self) -> Json:
        key = "first_name" if self.kind == "private" else "title"
        return {"id": self.id, "type": self.kind, key: self.name}


@dataclass(slots=True)
class Press:
    """A pressed button; `answer` is what answerCallbackQuery said."""

    user: int
    data: str
    answer: Json | None = None


class World:
    """The state behind all methods; changed by the bot and by the control surface."""

    def __init__(self, bot_id: int, first_update_id: int = FIRST_UPDATE_ID) -> None:
        self.me: Json = {
            "id": bot_id,
            "is_bot": True,
            "first_name": "Rapport",
            "username": "rapport_test_bot",
        }
        self.chats: dict[int, Chat] = {}
        self.presses: dict[str, Press] = {}
        self.commands: dict[tuple[str, str], list[Json]] = {}
        self.webhook: Json = {}
        self.logged_out = False
        self.knows_everyone = False
        self.updates = UpdateQueue(first_update_id)
        self.changed = asyncio.Condition()
        self._message_ids = itertools.count(1)
        self._press_ids = itertools.count(1)

    def meet(self, chat_id: int, **details: str) -> Chat:
        """The chat, made at the first meeting; details given later replace old ones."""
        chat = self.chats.setdefault(chat_id, Chat(chat_id, name=f"User {chat_id}"))
        for name, value in details.items():
            setattr(chat, name, value)
        return chat

    def user(self, user_id: int) -> Json:
        chat = self.meet(user_id)
        return {
            "id": user_id,
            "is_bot": False,
            "first_name": chat.name,
            "language_code": chat.language,
        }

    def open_chat(self, params: Params) -> Chat:
        """The chat that a call writes to; raises what Telegram would say instead."""
        if not params.given("chat_id"):
            raise bad_request("chat_id is empty")
        name = params.text("chat_id")
        if not name.lstrip("-").isdigit():
            raise bad_request("chat not found")
        chat_id = int(name)
        if self.knows_everyone and chat_id > 0:
            self.meet(chat_id)
        chat = self.chats.get(chat_id)
        if chat is None:
            raise bad_request("chat not found")
        if chat.refusal is not None:
            raise chat.refusal
        return chat

    def write(self, chat: Chat, sender: Json, **content: Any) -> Json:
        """A new message in a chat."""
        message: Json = {
            "message_id": next(self._message_ids),
            "from": sender,
            "chat": chat.as_json(),
            "date": int(time.time()),
            **content,
        }
        chat.messages[message["message_id"]] = message
        return message

    def say(self, user_id: int, text: str, chat_id: int) -> tuple[int | None, Json]:
        """A user writes; returns the update's id and the message."""
        sender = self.user(user_id)
        chat = self.meet(chat_id)
        message = self.write(chat, sender, **incoming_text(text))
        return self.updates.put("message", message), message

    def press(self, user_id: int, wanted: str, chat_id: int) -> str:
        """A user presses the newest button with this data or label."""
        for message in reversed(self.meet(chat_id).messages.values()):
            for button in buttons(message):
                if wanted in (button.get("callback_data"), button["text"]):
                    return self._press(user_id, button, message)
        raise LookupError(f"no button {wanted!r} in chat {chat_id}")

    def _press(self, user_id: int, button: Json, message: Json) -> str:
        press_id = str(next(self._press_ids))
        data = button.get("callback_data")
        if data is None:
            raise LookupError(
                f"{button['text']!r} opens a link, it tells the bot nothing"
            )
        self.presses[press_id] = Press(user_id, data)
        query = {
            "id": press_id,
            "from": self.user(user_id),
            # A later edit must not change what was pressed.
            "message": dict(message),
            "chat_instance": str(message["chat"]["id"]),
            "data": data,
        }
        self.updates.put("callback_query", query)
        return press_id

    def set_blocked(self, user_id: int, *, blocked: bool) -> None:
        """The user blocks the bot or lets it write again; the bot is told."""
        chat = self.meet(user_id)
        states = ("member", "kicked") if blocked else ("kicked", "member")
        chat.refusal = ApiError(403, BLOCKED) if blocked else None
        old, new = (self._membership(state) for state in states)
        self.updates.put(
            "my_chat_member",
            {
                "chat": chat.as_json(),
                "from": self.user(user_id),
                "date": int(time.time()),
                "old_chat_member": old,
                "new_chat_member": new,
            },
        )

    def _membership(self, state: str) -> Json:
        member: Json = {"user": self.me, "status": state}
        return {**member, "until_date": 0} if state == "kicked" else member

    async def notify(self) -> None:
        """Wake those who wait for a chat to change."""
        async with self.changed:
            self.changed.notify_all()
