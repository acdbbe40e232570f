"""The emulator as a test sees it: start it, be the users, look at their chats."""

from __future__ import annotations

import http.client
import itertools
import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from tests.servers.bot_api.answers import Json
from tests.servers.bot_api.keyboards import buttons
from tests.servers.journal import Entry, read_journal
from tests.servers.process import ServerProcess

MODULE = "tests.servers.bot_api"
WAIT_SECONDS = 10.0
_bot_ids = itertools.count(123456)


class ControlError(Exception):
    """The emulator could not do what a test asked for."""


@dataclass(frozen=True, slots=True)
class SeenButton:
    """A button under a message; `data` is None for a link."""

    label: str
    data: str | None


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """A message as the people in the chat see it now."""

    message_id: int
    from_bot: bool
    text: str
    buttons: tuple[SeenButton, ...]
    edited: bool


class Emulator:
    """A running emulator; its journal stands in `folder`.

    For python-telegram-bot: `Bot(token, base_url=emulator.url + "/bot")`.
    """

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.token = new_token()
        self.journal = folder / "bot_api.journal"
        self._process = ServerProcess(
            MODULE,
            *("--journal", str(self.journal), "--token", self.token),
            *arguments,
        )
        self.port = self._process.port
        self.url = f"http://127.0.0.1:{self.port}"

    @property
    def bot_id(self) -> int:
        return int(self.token.partition(":")[0])

    def renew(self, folder: Path) -> None:
        """Become another bot, with nothing said yet; cheaper than a new process."""
        self.token = new_token()
        self.journal = folder / "bot_api.journal"
        self._post("/control", token=self.token, journal=str(self.journal))

    def say(
        self, user: int, text: str, *, chat: int | None = None, **details: str
    ) -> int | None:
        """A user writes; `details` are name and language. Returns the update's id."""
        said = self._ask("say", user=user, text=text, chat=chat, details=details)
        update_id: int | None = said["update_id"]
        return update_id

    def press(self, user: int, button: str, *, chat: int | None = None) -> str:
        """A user presses the newest button with this data or label."""
        return str(self._ask("press", user=user, button=button, chat=chat))

    def answer(self, press: str, seconds: float = WAIT_SECONDS) -> str:
        """The text that answered a press; waits for it."""
        return str(self._ask("answer", press=press, seconds=seconds)["text"])

    def messages(
        self, chat: int, *, at_least: int = 0, seconds: float = WAIT_SECONDS
    ) -> list[SeenMessage]:
        """A chat as its people see it; waits until the bot wrote `at_least`."""
        found = self._ask("messages", chat=chat, at_least=at_least, seconds=seconds)
        return [_seen(message) for message in found]

    def from_bot(
        self, chat: int, *, at_least: int = 0, seconds: float = WAIT_SECONDS
    ) -> list[SeenMessage]:
        """Only what the bot wrote in a chat."""
        found = self.messages(chat, at_least=at_least, seconds=seconds)
        return [message for message in found if message.from_bot]

    def meet(self, *users: int) -> None:
        """These users have started the bot before, so that it may write to them."""
        self._ask("meet", users=users)

    def meet_everyone(self) -> None:
        """The bot may write to any user, for large broadcasts."""
        self._ask("meet_everyone")

    def group(self, chat: int, title: str) -> None:
        """A group (its id is negative) that the bot is in."""
        self._ask("group", chat=chat, title=title)

    def block(self, user: int) -> None:
        self._ask("block", user=user)

    def unblock(self, user: int) -> None:
        self._ask("unblock", user=user)

    def refuse(self, chat: int, code: int, description: str) -> None:
        """Whatever is written to this chat gets this answer."""
        self._ask("refuse", chat=chat, code=code, description=description)

    def migrate(self, chat: int, to: int) -> None:
        """A group became a supergroup with another id."""
        self._ask("migrate", chat=chat, to=to)

    def faults(self, **settings: float | str | bool) -> None:
        """Set fields of `tests.servers.bot_api.faults.Faults`."""
        self._ask("faults", **settings)

    def replay(self, times: int) -> None:
        """Give every update so many times more, even when it was confirmed."""
        self._ask("replay", times=times)

    def wait_for_poll(self, seconds: float = WAIT_SECONDS) -> None:
        """Returns when the bot waits for updates."""
        self._ask("polling", seconds=seconds)

    def pending(self) -> int:
        """Updates that the bot has not confirmed."""
        return int(self._ask("pending"))

    def calls(self, method: str, status: int | None = None) -> list[Entry]:
        """The journal's calls of one method, oldest first."""
        return [
            entry
            for entry in read_journal(self.journal, "call")
            if entry["method"].lower() == method.lower()
            and status in (None, entry["status"])
        ]

    def stop(self) -> None:
        self._process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def _ask(self, action: str, **words: Any) -> Any:
        return self._post(f"/control/{self.token}/{action}", **words)

    def _post(self, path: str, **words: Any) -> Any:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            headers = {"Content-Type": "application/json"}
            connection.request("POST", path, json.dumps(words), headers)
            answer = connection.getresponse()
            tree = json.loads(answer.read())
        finally:
            connection.close()
        if "error" in tree:
            action = path.rpartition("/")[2]
            raise ControlError(f"{action}: {tree['error']}")
        return tree["result"]


def new_token() -> str:
    return f"{next(_bot_ids)}:emulator-token-of-thirty-five-chars"


def _seen(message: Json) -> SeenMessage:
    return SeenMessage(
        message_id=message["message_id"],
        from_bot=message["from"]["is_bot"],
        text=message.get("text", ""),
        buttons=tuple(
            SeenButton(button["text"], button.get("callback_data"))
            for button in buttons(message)
        ),
        edited="edit_date" in message,
    )
