"""How the SMTP sink misbehaves, as values that the command line and a file can hold."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from enum import StrEnum
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any


class Stage(StrEnum):
    """Where in the conversation a rule answers; `dot` is the end of the message."""

    MAIL = "mail"
    RCPT = "rcpt"
    DATA = "data"
    DOT = "dot"


@dataclass(frozen=True, slots=True)
class Rule:
    """At `stage`, addresses that match the shell pattern get `reply` instead."""

    stage: Stage
    reply: str
    pattern: str = "*"


@dataclass(frozen=True, slots=True)
class Modes:
    """Everything that the sink can be told to do; the default is to accept all.

    Patterns are shell patterns over the recipient; an empty one matches nobody.
    """

    rules: tuple[Rule, ...] = ()
    goodbye_after_messages: int = 0
    """On one connection; the next MAIL then gets 421. 0 is never."""
    drop_before_data: str = ""
    """The connection closes where 354 was due."""
    drop_after_dot: str = ""
    """The message is taken and journalled, then the connection closes unanswered."""
    slow: str = ""
    """The message is taken and journalled; the answer waits for `slow_seconds`."""
    slow_seconds: float = 0.0
    greylist: str = ""
    """The first try of each sender and recipient gets 451."""
    hidden: tuple[str, ...] = ()
    """Extensions that EHLO does not announce, such as PIPELINING or STARTTLS."""

    def reply(self, stage: Stage, address: str) -> str | None:
        """What the first matching rule answers, or None."""
        for rule in self.rules:
            if rule.stage == stage and matches(rule.pattern, address):
                return rule.reply
        return None


def matches(pattern: str, address: str) -> bool:
    return fnmatchcase(address.lower(), pattern.lower())


def parse_rule(text: str) -> Rule:
    """A rule from `STAGE/PATTERN/REPLY`, as the command line has it."""
    stage, pattern, reply = text.split("/", 2)
    return Rule(Stage(stage), reply, pattern)


def dump_modes(modes: Modes) -> str:
    return json.dumps(asdict(modes))


def load_modes(text: str) -> Modes:
    tree: dict[str, Any] = json.loads(text)
    rules = tuple(
        Rule(Stage(rule["stage"]), rule["reply"], rule.get("pattern", "*"))
        for rule in tree.pop("rules", ())
    )
    return Modes(rules=rules, hidden=tuple(tree.pop("hidden", ())), **tree)


class ModesFile:
    """The modes of a file that may change while the sink runs."""

    def __init__(self, path: Path | None, start: Modes) -> None:
        self._path = path
        self._modes = start
        self._seen: tuple[int, int] | None = None

    def current(self) -> Modes:
        """The newest modes; those from the start while there is no file."""
        if self._path is None or not self._path.exists():
            return self._modes
        status = self._path.stat()
        # A file that replaces another can have the same time, never the same inode.
        version = (status.st_ino, status.st_mtime_ns)
        if version != self._seen:
            self._modes = load_modes(self._path.read_text(encoding="utf-8"))
            self._seen = version
        return self._modes
