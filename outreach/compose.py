"""From a claimed row to a message: checked once more, rendered, with its links."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from itertools import groupby
from typing import Any
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from content.campaign import Campaign, CampaignKind
from content.condition import Condition
from content.files import CampaignSource
from content.filters import first_name, minor_units
from content.mail import CompiledVersion, compile_version
from content.reasons import Reasons
from content.where import parse
from core.errors import UNREACHABLE, CampaignError, Problem, TemplateError
from core.model import (
    Channel,
    DeliveryState,
    Envelope,
    IdentityKind,
    SkipReason,
)
from core.settings import Settings
from outreach import links, policy
from outreach.policy import Limits, QuietHours, Send, Skip
from storage import audience, customers, installation, runs, versions
from storage.audience import Asking, Candidate
from storage.database import Connection
from storage.deliveries import Delivery, Result
from storage.runs import Run

_NEVER_AGAIN = frozenset({"mailbox_unknown"})


@dataclass(frozen=True, slots=True)
class Ready:
    """A run with its compiled content and the limits that its decisions obey."""

    run: Run
    compiled: CompiledVersion
    limits: Limits
    cap_window: timedelta

    def asking(self, now: datetime) -> Asking:
        """What must be read of customers to decide about this run."""
        own = self.compiled.campaign.limits.per_customer
        return Asking(
            campaign_run_id=self.run.id,
            campaign_key=self.run.campaign_key,
            topic=self.run.topic,
            cap_since=now - self.cap_window,
            campaign_since=None if own is None else now - own.within,
        )


class Composer:
    """Writes the messages of all runs; versions are compiled once."""

    def __init__(self, settings: Settings, reasons: Reasons) -> None:
        self._settings = settings
        self._reasons = reasons
        self._compiled: dict[int, CompiledVersion] = {}
        self._domain = settings.mail.from_address.rpartition("@")[2]

    def ready(self, connection: Connection, run: Run) -> Ready:
        """The run's content and limits, from its frozen version alone."""
        compiled = self._compile(connection, run)
        limits = limits_of(
            compiled.campaign,
            self._settings,
            installation.key(connection, "holdout"),
        )
        cap_window = timedelta(days=self._settings.outreach.cap_days)
        return Ready(run, compiled, limits, cap_window)

    def recheck(
        self, connection: Connection, rows: Iterable[Delivery], now: datetime
    ) -> dict[int, Result]:
        """What must not be sent after all, or not yet; read inside the claim."""
        found: dict[int, Result] = {}
        for ready, group in self._by_run(connection, rows):
            people = self._people(connection, ready, group, now)
            gone = [row for row in group if row.customer_id not in people]
            found |= _without_customer(connection, gone)
            for row in group:
                person = people.get(row.customer_id)
                if person is None:
                    continue
                result = _still_wanted(row, person, ready, now)
                if result is not None:
                    found[row.id] = result
        return found

    def envelopes(
        self, connection: Connection, rows: Iterable[Delivery], now: datetime
    ) -> tuple[dict[int, Envelope], list[Result]]:
        """The message of each row by id, and the rows that can't be written."""
        written: dict[int, Envelope] = {}
        broken: list[Result] = []
        for ready, group in self._by_run(connection, rows):
            people = self._people(connection, ready, group, now)
            for row in group:
                person = people.get(row.customer_id)
                if person is None:
                    # Merged or erased since the claim: the next one reads which.
                    broken.append(_put_back(row))
                    continue
                try:
                    written[row.id] = self._envelope(
                        connection, row, person, ready, now
                    )
                except TemplateError as error:
                    broken.append(_unwritable(row, error))
        return written, broken

    def learn(
        self,
        connection: Connection,
        envelopes: dict[int, Envelope],
        rows: Iterable[Delivery],
        results: Iterable[Result],
        now: datetime,
    ) -> None:
        """Never write again where the far side said that nobody is there."""
        channels = {row.id: row.channel for row in rows}
        for result in results:
            channel = channels[result.delivery_id]
            address = envelopes[result.delivery_id].address
            if result.reason in _NEVER_AGAIN:
                customers.suppress(
                    connection, channel, address, str(result.reason), now
                )
            elif result.reason in UNREACHABLE:
                kind = IdentityKind(channel.value)
                customers.set_unreachable(connection, kind, address, result.reason)

    def _compile(self, connection: Connection, run: Run) -> CompiledVersion:
        compiled = self._compiled.get(run.content_version_id)
        if compiled is None:
            version = versions.get(connection, run.content_version_id)
            if version.content_hash != run.content_hash:
                raise CampaignError(
                    Problem(f"the content of run {run.id} is not what was frozen")
                )
            source = CampaignSource(version.key, version.files)
            compiled = compile_version(source, self._settings.shop.languages)
            self._compiled[run.content_version_id] = compiled
        return compiled

    def _by_run(
        self, connection: Connection, rows: Iterable[Delivery]
    ) -> Iterator[tuple[Ready, list[Delivery]]]:
        ordered = sorted(rows, key=lambda row: row.campaign_run_id)
        for run_id, group in groupby(ordered, key=lambda row: row.campaign_run_id):
            run = runs.get(connection, run_id)
            if run is not None:
                yield self.ready(connection, run), list(group)

    def _people(
        self, connection: Connection, ready: Ready, rows: list[Delivery], now: datetime
    ) -> dict[int, Candidate]:
        ids = [row.customer_id for row in rows]
        found = audience.candidates(connection, ids, ready.asking(now))
        return {candidate.customer_id: candidate for candidate in found}

    def _envelope(
        self,
        connection: Connection,
        row: Delivery,
        person: Candidate,
        ready: Ready,
        now: datetime,
    ) -> Envelope:
        key = installation.key(connection, "links")
        urls = self._urls(links.sign(key, "unsubscribe", row.id))
        language = ready.compiled.language_for(person.language)
        variables = self._variables(row, person, ready, language, now) | {"links": urls}
        rendered = ready.compiled.render(variables, language)
        message_id = f"<{links.sign(key, 'message', row.id)}@{self._domain}>"
        envelope = Envelope(
            address=person.addresses[row.channel].value,
            message_id=message_id,
            text=rendered.chat,
        )
        if row.channel is not Channel.EMAIL:
            return envelope
        return replace(
            envelope,
            subject=rendered.subject,
            text=rendered.text,
            html=rendered.html,
            headers=self._headers(ready.compiled.campaign, urls["unsubscribe"]),
        )

    def _variables(
        self,
        row: Delivery,
        person: Candidate,
        ready: Ready,
        language: str,
        now: datetime,
    ) -> dict[str, Any]:
        shop, campaign = self._settings.shop, ready.compiled.campaign
        # Dates are written in the zone that they carry.
        local = now.astimezone(ZoneInfo(shop.timezone))
        return {
            "customer": _customer_variables(person, language, shop.currency, local),
            "items": [
                self._item_variables(item, language)
                for item in row.content.get("items", [])
            ],
            "campaign": {
                "key": campaign.key,
                "title": campaign.title,
                "topic": campaign.topic,
            },
            "company": {
                "name": shop.name,
                "url": shop.url,
                "support_email": shop.support_email,
                "postal_address": shop.postal_address,
                "currency": shop.currency,
            },
            "now": local,
        }

    def _item_variables(self, item: dict[str, Any], language: str) -> dict[str, Any]:
        currency = item["currency"] or self._settings.shop.currency
        return {
            "name": item["name"],
            "url": item["url"] or self._settings.shop.url,
            "price": item["price_minor"],
            "currency": currency,
            "image": None,
            "reason": self._reasons.text(
                item["reason"],
                language,
                product=item["reason_product"],
                share_ratio=item["reason_share_ratio"],
            ),
        }

    def _urls(self, token: str) -> dict[str, str]:
        base = self._settings.web.public_url.rstrip("/")
        return {
            "unsubscribe": f"{base}/u/{token}",
            "preferences": f"{base}/preferences/{token}",
            "view": f"{base}/view/{token}",
        }

    def _headers(self, campaign: Campaign, unsubscribe: str) -> dict[str, str]:
        host = urlsplit(self._settings.shop.url).hostname or self._domain
        headers = {
            "Reply-To": self._settings.shop.support_email,
            "List-Id": f"<{campaign.topic}.{host}>",
        }
        if campaign.kind is CampaignKind.PROMOTION:
            headers["List-Unsubscribe"] = f"<{unsubscribe}>"
            headers["List-Unsubscribe-Post"] = "List-Unsubscribe=One-Click"
        return headers


def limits_of(campaign: Campaign, settings: Settings, holdout_key: bytes) -> Limits:
    """The limits of a campaign: its own where it names any, else the settings'."""
    outreach = settings.outreach
    quiet = QuietHours.parse(outreach.quiet_hours, settings.shop.timezone)
    if campaign.quiet_hours is not None:
        own = campaign.quiet_hours
        quiet = replace(quiet, start=own.start, end=own.end)
    is_promotion = campaign.kind is CampaignKind.PROMOTION
    holdout = campaign.holdout_ratio
    own_cap = campaign.limits.per_customer
    return Limits(
        campaign_key=campaign.key,
        channels=tuple(each for each in campaign.channels if each in usable(settings)),
        is_promotion=is_promotion,
        holdout_ratio=outreach.holdout_ratio if holdout is None else holdout,
        cap_messages=outreach.cap_messages,
        cap_of_campaign=None if own_cap is None else own_cap.count,
        hold_low_score=timedelta(days=outreach.hold_low_score_days),
        quiet_hours=quiet,
        where=None if campaign.where is None else parse_where(campaign.where),
        holdout_key=holdout_key,
    )


def usable(settings: Settings) -> frozenset[Channel]:
    """The channels that this installation can send on."""
    has_bot = bool(settings.telegram.token.get_secret_value())
    return frozenset(Channel) if has_bot else frozenset(Channel) - {Channel.TELEGRAM}


def parse_where(words: str) -> Condition:
    """A campaign's condition over the fields that a decision knows."""
    return parse(words, policy.FIELDS)


def _without_customer(
    connection: Connection, rows: Sequence[Delivery]
) -> dict[int, Result]:
    """Rows of customers who were erased, or are part of another, since the plan."""
    erased = audience.erased(connection, [row.customer_id for row in rows])
    merged = Result(0, DeliveryState.SKIPPED, SkipReason.MERGED, tried=False)
    forgotten = Result(0, DeliveryState.CANCELLED, SkipReason.ERASED, tried=False)
    return {
        row.id: replace(
            forgotten if row.customer_id in erased else merged, delivery_id=row.id
        )
        for row in rows
    }


def _still_wanted(
    row: Delivery, person: Candidate, ready: Ready, now: datetime
) -> Result | None:
    """None where the row may be sent now."""
    limits = replace(ready.limits, channels=(row.channel,))
    (decision,) = policy.decide([person], limits, now)
    if isinstance(decision, Skip):
        return Result(
            row.id, skipped_state(decision.reason), decision.reason, tried=False
        )
    return _later(row, decision)


def _later(row: Delivery, decision: Send) -> Result | None:
    if decision.due_at is None:
        return None
    return Result(
        row.id,
        DeliveryState.DEFERRED,
        SkipReason.QUIET_HOURS,
        decision.due_at,
        tried=False,
    )


def skipped_state(reason: SkipReason) -> DeliveryState:
    """`suppressed` where the address may never be written to, else `skipped`."""
    if reason is SkipReason.SUPPRESSED:
        return DeliveryState.SUPPRESSED
    return DeliveryState.SKIPPED


def _put_back(row: Delivery) -> Result:
    return Result(row.id, DeliveryState.PLANNED, "put_back", tried=False)


def _unwritable(row: Delivery, error: TemplateError) -> Result:
    detail = str(error.problems[0])
    return Result(
        row.id, DeliveryState.REJECTED, SkipReason.RENDER_ERROR, detail=detail
    )


def _customer_variables(
    person: Candidate, language: str, currency: str, now: datetime
) -> dict[str, Any]:
    features = person.features
    recency, tenure = features.get("recency_days"), features.get("tenure_days")
    email = person.addresses.get(Channel.EMAIL)
    return {
        "name": person.name,
        "first_name": None if person.name is None else first_name(person.name),
        "email": None if email is None else email.value,
        "phone": person.phone,
        "language": language,
        "gender": person.gender,
        "birth_date": person.birth_date,
        "age": _age(person.birth_date, now.date()),
        "income": _money(features.get("income"), currency),
        "address": person.address,
        "postcode": person.postcode,
        "city": person.city,
        "country": person.country,
        "attributes": person.attributes,
        "preferences": person.preferences,
        "segment": person.segment_name,
        "customer_since": None if tenure is None else now - timedelta(days=tenure),
        "last_order_on": None if recency is None else now - timedelta(days=recency),
        "days_since_last_order": None if recency is None else int(recency),
        "orders_count": int(features.get("frequency") or 0),
        "total_spent": minor_units(features.get("total_spent") or 0, currency),
    }


def _age(born: date | None, today: date) -> int | None:
    """Whole years."""
    if born is None:
        return None
    return today.year - born.year - ((today.month, today.day) < (born.month, born.day))


def _money(amount: float | None, currency: str) -> int | None:
    return None if amount is None else minor_units(amount, currency)
