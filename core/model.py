"""The nouns and states of the program, as frozen values."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any, Protocol


class Channel(StrEnum):
    """A way to reach a customer."""

    EMAIL = "email"
    TELEGRAM = "telegram"
    WEBCHAT = "webchat"


class IdentityKind(StrEnum):
    """What identifies a customer; UNIQUE(kind, normalised value)."""

    EMAIL = "email"
    PHONE = "phone"
    TELEGRAM = "telegram"
    WEBCHAT = "webchat"
    EXTERNAL = "external"


class Role(StrEnum):
    """What a member of staff may do; see `web.access`."""

    AGENT = "agent"
    MARKETER = "marketer"
    LEAD = "lead"
    ADMIN = "admin"


class ActorKind(StrEnum):
    """Who can change data."""

    CUSTOMER = "customer"
    STAFF = "staff"
    SYSTEM = "system"


@dataclass(frozen=True, slots=True)
class Actor:
    """Who makes a change; `name` is a part of the program or a staff id."""

    kind: ActorKind
    name: str

    def __str__(self) -> str:
        return f"{self.kind}:{self.name}"


def system(part: str) -> Actor:
    """The program itself, acting as the named part."""
    return Actor(ActorKind.SYSTEM, part)


def staff_member(staff_id: int) -> Actor:
    """A member of staff, by id."""
    return Actor(ActorKind.STAFF, str(staff_id))


def customer_self(customer_id: int) -> Actor:
    """A customer who acts in chat or by a link."""
    return Actor(ActorKind.CUSTOMER, str(customer_id))


class ConsentState(StrEnum):
    """One row of the consent ledger; the newest per topic and channel counts."""

    GRANTED = "granted"
    WITHDRAWN = "withdrawn"


class ImportState(StrEnum):
    """Rows of an import don't count while it is running.

    `closed`: given up by a person, or overtaken by a newer file of the same name;
    the whole orders and customers that it brought count. `undoing`: it is being taken
    back. `undone`: what it brought and changed is as it was before.
    """

    RUNNING = "running"
    COMPLETE = "complete"
    CLOSED = "closed"
    UNDOING = "undoing"
    UNDONE = "undone"


# What belongs to an import in these states is no part of the data.
UNFINISHED_IMPORT_STATES = frozenset({ImportState.RUNNING, ImportState.UNDOING})


class MatchState(StrEnum):
    """What became of two customers who may be one person."""

    PROPOSED = "proposed"
    MERGED = "merged"
    APART = "apart"


class MergeMethod(StrEnum):
    """Why two customers became one."""

    SAME_IDENTITY = "same_identity"
    PROBABLE = "probable"
    PERSON = "person"


class OrderKind(StrEnum):
    """A return has negative quantities and points back where it can."""

    SALE = "sale"
    RETURN = "return"


# What ends so is a note: nothing was changed.
FLAG = "_flagged"


@dataclass(frozen=True, slots=True)
class Finding:
    """One value that cleaning changes, takes out (`after` None) or only flags.

    `kind` says whose id `record_id` is: customer, identity, order, product, source.
    Of a flag, `after` is what may have been meant, or the value again.
    """

    kind: str
    record_id: int
    customer_id: int | None
    field: str
    before: str | None
    after: str | None
    rule: str

    @property
    def is_flag(self) -> bool:
        return self.rule.endswith(FLAG)


class RunState(StrEnum):
    """The life of one execution of a campaign."""

    DRAFT = "draft"
    SCHEDULED = "scheduled"
    PLANNING = "planning"
    RUNNING = "running"
    PAUSED = "paused"
    FINISHED = "finished"
    CANCELLED = "cancelled"


class DeliveryState(StrEnum):
    """The life of one message to one customer on one channel."""

    PLANNED = "planned"
    CLAIMED = "claimed"
    SENDING = "sending"
    DEFERRED = "deferred"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNCERTAIN = "uncertain"
    SKIPPED = "skipped"
    SUPPRESSED = "suppressed"
    EXPIRED = "expired"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """Nothing will happen to this delivery without a person."""
        return self not in OPEN_DELIVERY_STATES


OPEN_DELIVERY_STATES = frozenset(
    {
        DeliveryState.PLANNED,
        DeliveryState.CLAIMED,
        DeliveryState.SENDING,
        DeliveryState.DEFERRED,
    }
)


class OnUncertain(StrEnum):
    """What becomes of a message that may or may not have arrived."""

    HOLD = "hold"
    RESEND = "resend"


class SkipReason(StrEnum):
    """Why a customer of the audience got nothing."""

    HOLDOUT = "holdout"
    NO_CONSENT = "no_consent"
    NO_ADDRESS = "no_address"
    SUPPRESSED = "suppressed"
    UNREACHABLE = "unreachable"
    CAPPED = "capped"
    QUIET_HOURS = "quiet_hours"
    OPEN_CONVERSATION = "open_conversation"
    LOW_SCORE = "low_score"
    OUTSIDE_SEGMENT = "outside_segment"
    NO_OFFER = "no_offer"
    NO_QUOTA = "no_quota"
    RENDER_ERROR = "render_error"
    MERGED = "merged"
    ERASED = "erased"


class Owner(StrEnum):
    """Who may speak in a conversation now."""

    BOT = "bot"
    QUEUE = "queue"
    AGENT = "agent"


class Sender(StrEnum):
    """Who wrote a message."""

    CUSTOMER = "customer"
    BOT = "bot"
    AGENT = "agent"
    SYSTEM = "system"


class MessageState(StrEnum):
    """The life of one message in a conversation; `received` is inbound."""

    RECEIVED = "received"
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNCERTAIN = "uncertain"


class EpisodeEnd(StrEnum):
    """How an episode closed."""

    RESOLVED = "resolved"
    CONTAINED = "contained"
    ABANDONED = "abandoned"


class CaseKind(StrEnum):
    """What kind of work an episode is, for SEI per kind."""

    CHAT = "chat"
    MAIL = "mail"
    CALL = "call"
    REQUEST = "request"


def contact_channel(word: str) -> Channel | CaseKind:
    """Where a conversation is; of an imported one, what kind of case it was."""
    return Channel(word) if word in list(Channel) else CaseKind(word)


class OccurrenceState(StrEnum):
    """The life of one due moment of a schedule."""

    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    MISSED = "missed"


class JobState(StrEnum):
    """The life of one coarse job."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Button:
    """A quick reply under a message; `data` is an opaque word of ours."""

    label: str
    data: str


@dataclass(frozen=True, slots=True)
class Update:
    """One thing that a customer did on a channel, as the channel told us."""

    source: str
    external_id: str
    channel: Channel
    address: str
    received_at: datetime
    text: str = ""
    button: str | None = None
    display_name: str | None = None
    language: str | None = None
    raw: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Envelope:
    """One rendered message to one customer, ready for a channel."""

    address: str
    message_id: str
    text: str
    subject: str = ""
    html: str | None = None
    headers: dict[str, str] = field(default_factory=dict)
    buttons: tuple[Button, ...] = ()


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the far side said when it took a message."""

    reply: str
    external_id: str | None = None


class ChannelPort(Protocol):
    """What sending needs from the world; implementations live at the edges.

    `before_commit_point` is called right before the first byte that could cause
    delivery, so that the journal knows what was in flight.
    """

    name: Channel

    @property
    def ready(self) -> bool:
        """Whether this process may send on the channel now."""

    async def send(
        self, envelope: Envelope, before_commit_point: CommitPoint
    ) -> Receipt:
        """Deliver one message; raises `DeliveryError`."""

    async def close(self) -> None:
        """Let go of connections."""


class CommitPoint(Protocol):
    """Called when a message is about to be in flight."""

    def __call__(self) -> None: ...
