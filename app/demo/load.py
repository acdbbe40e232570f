"""Writes a seeded shop into a database, in small transactions by the write door."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from itertools import islice
from typing import Any, TypeVar

from app.demo.campaigns import (
    ACCEPTED_ANSWER,
    BOUNCED_ANSWER,
    Before,
    Decided,
    after,
    bought_before,
    decide_mailing,
)
from app.demo.records import Happening, Mailing, Message, Shop, Talk
from app.demo.talk import CUSTOMER, STAFF
from core.model import (
    Button,
    CaseKind,
    Channel,
    DeliveryState,
    IdentityKind,
    MessageState,
    RunState,
    customer_self,
    staff_member,
    system,
)
from core.records import RecordKind
from core.settings import ROOT, Settings, load_settings
from outreach import links
from outreach.campaigns import begin_run, newest_campaign, push_starting_set
from outreach.compose import limits_of
from storage import customers, ingest, installation, runs, seed, staff
from storage.database import Connection, Database
from storage.external import external_identity
from storage.ingest import Import, ImportFile, Progress
from storage.runs import Run
from storage.staff import NewMember

T = TypeVar("T")

ACTOR = system("demo")
SOURCE = "demo"
CURRENCY = "EUR"
ROWS_PER_WRITE = 800
# As an import writes a thing that somebody likes.
YES = "yes"
# No password has such a hash, so nobody signs in with these accounts.
NO_PASSWORD = "!"  # noqa: S105  the absence of one
BEFORE_FIRST_RUN = timedelta(days=10)


@dataclass(frozen=True, slots=True)
class Loaded:
    """How many rows of each kind were written."""

    counts: dict[str, int]


def load_shop(
    database: Database, shop: Shop, now: datetime, settings: Settings | None = None
) -> Loaded:
    """Write the shop; its orders count when the last of them is there.

    The key of the hold-out is made from the seed, so that a demo is the same on every
    machine. People of the team can't sign in.

    Raises
    ------
    DataError : the database has customers already
    """
    loading = _Loading(database, shop, now, settings or load_settings())
    loading.begin()
    loading.people()
    loading.goods()
    loading.plan_mailings()
    loading.orders()
    loading.service()
    loading.mailings()
    loading.complete()
    return Loaded(dict(loading.counts))


class _Loading:
    """One shop on its way into one database, with the ids that its rows got."""

    def __init__(
        self, database: Database, shop: Shop, now: datetime, settings: Settings
    ) -> None:
        self.counts: Counter[str] = Counter()
        self._database = database
        self._shop = shop
        self._now = now
        self._settings = settings
        self._customers: list[int] = []
        self._products: list[int] = []
        self._staff: list[int] = []
        self._episodes: list[int] = []
        self._decided: list[list[Decided]] = []
        self._before = Before()

    def begin(self) -> None:
        """Claim the database, and begin the import that the orders belong to."""
        shop = self._shop
        name = f"shop of seed {shop.seed}"
        digest = hashlib.sha256(f"{name} at {shop.asof.isoformat()}".encode())
        file = ImportFile(SOURCE, RecordKind.ORDERS, name, digest.hexdigest(), "demo")
        holdout = hashlib.sha256(f"hold-out of {name}".encode()).digest()

        def work(connection: Connection) -> Import:
            seed.plant_key(connection, "holdout", holdout)
            return ingest.begin(connection, file, self._now)

        self._import = self._write(work)

    def people(self) -> None:
        """The team, the customers, what they allowed and what is closed to us."""
        self._staff = self._write(self._add_staff)
        source = self._import.source_id
        self._customers = self._fill(
            "customers",
            (
                (
                    *(one.name, one.language, one.gender, one.birth_date),
                    *(one.city, one.country, one.income_minor),
                    None if one.income_minor is None else CURRENCY,
                    dict.fromkeys(one.preferences, YES),
                    dict(one.attributes),
                    *(source, one.created_at, one.created_at),
                )
                for one in self._shop.people
            ),
        )
        self._fill("identities", self._identities())
        self._fill(
            "consents",
            (
                (
                    self._customers[row.customer],
                    *(row.channel, row.topic, row.state, row.source, row.at),
                )
                for row in self._shop.consents
            ),
        )
        self._write(self._add_suppressions)

    def goods(self) -> None:
        """What is sold."""
        source = self._import.source_id
        self._products = self._fill(
            "products",
            (
                (
                    *(source, one.code, one.name, one.category),
                    *(one.price_minor, CURRENCY, one.url, True),
                )
                for one in self._shop.products
            ),
        )

    def plan_mailings(self) -> None:
        """Decide whom the earlier runs wrote to; some orders depend on it."""
        templates = ROOT / "templates"
        languages = self._settings.shop.languages
        first = min(mailing.at for mailing in self._shop.mailings)
        pushed_at = first - BEFORE_FIRST_RUN
        self._write(
            lambda c: push_starting_set(
                c, templates, languages, pushed_at, self._shop.profile
            )
        )
        for mailing in self._shop.mailings:
            decided = self._database.read_now(lambda c: self._decide(c, mailing))  # noqa: B023  called at once
            self._before = after(self._before, decided)
            self._decided.append(decided)

    def orders(self) -> None:
        """Every order that was placed, with its lines."""
        written_to = {
            row.customer
            for row in self._decided[0]
            if row.state is DeliveryState.ACCEPTED
        }
        placed = [
            order
            for order in self._shop.orders
            if not order.after_mail or order.customer in written_to
        ]
        source, import_id = self._import.source_id, self._import.id
        ids = self._fill(
            "orders",
            (
                (
                    *(source, order.code, self._customers[order.customer]),
                    *(order.kind, order.ordered_at, order.total_minor),
                    *(CURRENCY, import_id),
                )
                for order in placed
            ),
        )
        lines = (
            (
                key,
                number,
                self._products[line.product],
                line.quantity,
                line.amount_minor,
            )
            for key, order in zip(ids, placed, strict=True)
            for number, line in enumerate(order.lines, start=1)
        )
        for part in _parts(lines, 2 * ROWS_PER_WRITE):
            self._write(lambda c: seed.insert_lines(c, part))  # noqa: B023  called at once
            self.counts["order_lines"] += len(part)

    def service(self) -> None:
        """All conversations and what happened in them."""
        found = self._shop.service
        talks = self._fill("conversations", (self._talk(row) for row in found.talks))
        self._episodes = self._fill(
            "episodes",
            (
                (
                    *(talks[row.talk], CaseKind.CHAT, row.topic),
                    *(row.opened_at, row.closed_at, row.ended, 0),
                )
                for row in found.episodes
            ),
        )
        dialogues = [
            (key, self._dialogue(row))
            for key, row in zip(talks, found.talks, strict=True)
        ]
        for part in _parts(dialogues, ROWS_PER_WRITE):
            self._write(lambda c: seed.set_dialogues(c, part))  # noqa: B023  called at once
        messages = self._messages(talks)
        self._fill(
            "conversation_events",
            (self._happening(row, talks, messages) for row in found.happenings),
        )
        self._fill("handling_intervals", self._handlings())
        self._fill("feedback", self._surveys())
        self._fill(
            "utterances",
            (
                (
                    None if row.message is None else messages[row.message],
                    *(row.text, row.language, row.article),
                    *(row.score, row.outcome, row.at),
                )
                for row in found.words
            ),
        )

    def mailings(self) -> None:
        """The earlier runs with a row for everybody in their audience."""
        for mailing, decided in zip(self._shop.mailings, self._decided, strict=True):
            self._mailing(mailing, decided)

    def complete(self) -> None:
        """From now on the orders count."""
        rows = self.counts["orders"]
        progress = Progress(rows_read=rows, rows_accepted=rows, position=rows)

        def work(connection: Connection) -> None:
            before = self._import.progress
            ingest.save_progress(connection, self._import, before, progress)
            ingest.complete(connection, self._import, self._now)

        self._write(work)

    # People.

    def _add_staff(self, connection: Connection) -> list[int]:
        made_at = self._shop.asof - timedelta(days=400)
        self.counts["staff"] = len(self._shop.staff)
        return [
            staff.add_member(
                connection,
                NewMember(one.email, one.name, one.role, NO_PASSWORD),
                made_at,
            )
            for one in self._shop.staff
        ]

    def _identities(self) -> Iterator[tuple[Any, ...]]:
        external = IdentityKind.EXTERNAL
        for key, person in zip(self._customers, self._shop.people, strict=True):
            at = person.created_at
            code = external_identity(SOURCE, person.code)
            yield key, external, code, code, None, None, at
            for one in person.identities:
                reason = one.unreachable_reason
                yield key, one.kind, one.value, one.value, None, reason, at

    def _add_suppressions(self, connection: Connection) -> None:
        for row in self._shop.suppressions:
            customers.suppress(connection, row.channel, row.address, row.reason, row.at)
        self.counts["suppressions"] += len(self._shop.suppressions)

    # Conversations.

    def _talk(self, row: Talk) -> tuple[Any, ...]:
        return (
            *(self._customers[row.customer], row.channel, row.address, row.owner),
            None if row.staff is None else self._staff[row.staff],
            *(row.version, row.language, {}, row.open, row.waiting_since),
            *(row.created_at, row.last_message_at, row.due_at, row.due_event),
        )

    def _dialogue(self, row: Talk) -> dict[str, Any]:
        state = row.state
        if state.surveyed_episode is not None:
            episode = self._episodes[state.surveyed_episode - 1]
            state = replace(state, surveyed_episode=episode)
        return state.to_json()

    def _message(self, row: Message, talks: Sequence[int]) -> tuple[Any, ...]:
        sent = row.at if row.state is MessageState.SENT else None
        return (
            *(talks[row.talk], self._episode(row.episode), row.sender),
            None if row.staff is None else self._staff[row.staff],
            row.text,
            [self._button(button) for button in row.buttons],
            *(row.state, row.external_id, row.at, sent),
        )

    def _messages(self, talks: Sequence[int]) -> list[int]:
        """Ids of messages by place; they are given out in the order of time."""
        rows = self._shop.service.messages
        order = sorted(range(len(rows)), key=lambda place: rows[place].at)
        new = self._fill(
            "messages", (self._message(rows[place], talks) for place in order)
        )
        ids = [0] * len(rows)
        for place, key in zip(order, new, strict=True):
            ids[place] = key
        return ids

    def _button(self, button: Button) -> dict[str, str]:
        data = button.data
        if data.startswith("score:"):
            _, episode, score = data.split(":")
            data = f"score:{self._episodes[int(episode) - 1]}:{score}"
        return {"label": button.label, "data": data}

    def _happening(
        self, row: Happening, talks: Sequence[int], messages: Sequence[int]
    ) -> tuple[Any, ...]:
        data = dict(row.data)
        if row.message is not None:
            data["message"] = messages[row.message]
        actor = self._actor(row)
        episode = self._episode(row.episode)
        return talks[row.talk], episode, row.kind, actor, data, row.at

    def _actor(self, row: Happening) -> str:
        if row.actor == CUSTOMER:
            customer = self._shop.service.talks[row.talk].customer
            return str(customer_self(self._customers[customer]))
        if row.actor == STAFF and row.staff is not None:
            return str(staff_member(self._staff[row.staff]))
        return row.actor

    def _handlings(self) -> Iterator[tuple[Any, ...]]:
        for row in self._shop.service.handlings:
            episode, member = self._episodes[row.episode], self._staff[row.staff]
            yield episode, member, row.started_at, row.ended_at, row.active_at

    def _surveys(self) -> Iterator[tuple[Any, ...]]:
        for row in self._shop.service.surveys:
            yield (
                *(self._customers[row.customer], self._episodes[row.episode]),
                *(row.asked_at, row.answered_at, row.score, row.issue, row.comment),
                row.answered_by,
                None if row.staff is None else self._staff[row.staff],
                *(row.topic, row.channel),
            )

    def _episode(self, place: int | None) -> int | None:
        return None if place is None else self._episodes[place]

    # Campaigns.

    def _decide(self, connection: Connection, mailing: Mailing) -> list[Decided]:
        _, campaign = newest_campaign(connection, mailing.campaign)
        key = installation.key(connection, "holdout")
        limits = limits_of(campaign, self._settings, key)
        own = campaign.limits.per_customer
        within = timedelta(0) if own is None else own.within
        return decide_mailing(
            self._shop, mailing, limits, within, self._customers, self._before
        )

    def _mailing(self, mailing: Mailing, decided: list[Decided]) -> None:
        run = self._write(lambda c: self._begin_run(c, mailing))
        items = bought_before(self._shop, mailing, self._products)
        ids = self._fill(
            "deliveries",
            (
                (
                    *(run.id, self._customers[row.customer], row.channel, 1),
                    *(mailing.segment, row.state, row.reason),
                    {"items": items[row.customer]} if _tried(row) else {},
                    *(int(_tried(row)), mailing.at, row.ended_at),
                )
                for row in decided
            ),
        )
        tried = [
            (key, row) for key, row in zip(ids, decided, strict=True) if _tried(row)
        ]
        self._fill("delivery_events", (_answer(key, row) for key, row in tried))
        self._write(lambda c: self._finish_run(c, run, tried))
        self.counts["campaign_runs"] += 1

    def _begin_run(self, connection: Connection, mailing: Mailing) -> Run:
        run = begin_run(connection, mailing.campaign, mailing.at, mailing.at)
        runs.move(connection, run.id, RunState.PLANNING, mailing.at)
        return runs.move(connection, run.id, RunState.RUNNING, mailing.at)

    def _finish_run(
        self, connection: Connection, run: Run, tried: list[tuple[int, Decided]]
    ) -> None:
        """Message ids, addresses that don't exist, and the end of the run."""
        key = installation.key(connection, "links")
        domain = self._settings.mail.from_address.rpartition("@")[2]
        seed.set_message_ids(
            connection,
            [
                (row, f"<{links.sign(key, 'message', row)}@{domain}>")
                for row, _ in tried
            ],
        )
        for _, row in tried:
            address = self._shop.people[row.customer].address(IdentityKind.EMAIL)
            if row.state is DeliveryState.REJECTED and address is not None:
                reason = str(row.reason)
                customers.suppress(
                    connection, Channel.EMAIL, address, reason, row.ended_at
                )
        ended = max((row.ended_at for _, row in tried), default=run.scheduled_for)
        runs.move(connection, run.id, RunState.FINISHED, ended)

    # Writing.

    def _write(self, work: Callable[[Connection], T]) -> T:
        return self._database.write_now(ACTOR, work)

    def _fill(self, table: str, rows: Iterator[tuple[Any, ...]]) -> list[int]:
        """Insert rows part by part; returns their ids."""
        ids: list[int] = []
        for part in _parts(rows, ROWS_PER_WRITE):
            ids += self._write(lambda c: seed.insert(c, table, part))  # noqa: B023  called at once
        self.counts[table] += len(ids)
        return ids


def _tried(row: Decided) -> bool:
    return row.state in {DeliveryState.ACCEPTED, DeliveryState.REJECTED}


def _answer(key: int, row: Decided) -> tuple[Any, ...]:
    accepted = row.state is DeliveryState.ACCEPTED
    detail = ACCEPTED_ANSWER if accepted else BOUNCED_ANSWER
    return key, row.state, detail, row.ended_at


def _parts(rows: Any, size: int) -> Iterator[list[Any]]:
    found = iter(rows)
    while part := list(islice(found, size)):
        yield part
