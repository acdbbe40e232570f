"""What happens in conversations by itself: surveys, idle closes, idle agents."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import datetime, timedelta

from bot.record import Recorder
from bot.states import IdleTimeout, SurveyDue
from core.clock import Clock
from core.log import get_logger
from core.model import EpisodeEnd, Sender, system
from storage import conversations, episodes, feedback, handling, messages
from storage.conversations import Conversation, DueEvent
from storage.database import Connection, Database
from storage.episodes import Episode, EventKind
from storage.feedback import Asking

LOOK_SECONDS = 1.0
BATCH = 100
LOOKS_PER_AGENTS = 30
# A question about a chat of hours ago comes out of nowhere: it is not asked.
SURVEY_STALE = timedelta(hours=1)
ACTOR = system("timer")

log = get_logger("timer")


class Timers:
    """Looks for what is due; `tick` is one look."""

    def __init__(self, database: Database, clock: Clock, recorder: Recorder) -> None:
        self._database = database
        self._clock = clock
        self._recorder = recorder
        bot = recorder.settings.bot
        self._cool_down = timedelta(days=bot.survey_cool_down_days)
        self._handling_idle = timedelta(minutes=bot.handling_idle_minutes)

    async def run(self) -> None:
        """Look every second, for ever; for silent agents less often."""
        for look in itertools.count():
            try:
                await self.tick()
                if look % LOOKS_PER_AGENTS == 0:
                    await self.end_silent()
            except Exception:
                log.exception("timer_failed")
            await asyncio.sleep(LOOK_SECONDS)

    async def tick(self) -> int:
        """Do what is due now; returns in how many conversations something was."""
        now = self._clock.now()
        due = await self._database.read(lambda c: conversations.due(c, now, BATCH))
        for conversation in due:
            try:
                await self._database.write(
                    ACTOR,
                    lambda c: self._happen(c, conversation.id, now),  # noqa: B023
                )
            except Exception:
                # It comes first at every look: what is due after it must not wait.
                log.exception("due_event_failed", conversation=conversation.id)
        return len(due)

    async def end_silent(self) -> int:
        """End the handling of agents who fell silent; returns how many intervals."""
        now = self._clock.now()
        some = await self._database.read(
            lambda c: handling.has_idle(c, now, self._handling_idle)
        )
        if not some:
            return 0
        return await self._database.write(
            ACTOR, lambda c: handling.end_idle(c, now, self._handling_idle)
        )

    def _happen(
        self, connection: Connection, conversation_id: int, now: datetime
    ) -> None:
        held = conversations.get(connection, conversation_id, hold=True)
        # Another process may have been faster, or the customer has written.
        if held is None or held.due_at is None or held.due_at > now:
            return
        conversations.clear_due(connection, held.id)
        rested = replace(held, due_at=None, due_event=None)
        if held.due_event is DueEvent.IDLE:
            self._recorder.advance(connection, rested, IdleTimeout(), now)
            return
        episode = episodes.newest(connection, held.id)
        if episode is not None and self._may_ask(connection, held, episode, now):
            self._ask(connection, rested, episode, now)

    def _may_ask(
        self,
        connection: Connection,
        conversation: Conversation,
        episode: Episode,
        now: datetime,
    ) -> bool:
        if episode.closed_at is None or episode.ended is EpisodeEnd.ABANDONED:
            return False
        due_at = conversation.due_at or now
        asked_at = feedback.last_asked_at(connection, conversation.customer_id)
        rested = asked_at is None or now - asked_at >= self._cool_down
        return rested and now - due_at <= SURVEY_STALE

    def _ask(
        self,
        connection: Connection,
        conversation: Conversation,
        episode: Episode,
        now: datetime,
    ) -> None:
        staff_id = messages.last_agent(connection, episode.id)
        asking = Asking(
            customer_id=conversation.customer_id,
            episode_id=episode.id,
            answered_by=Sender.BOT if staff_id is None else Sender.AGENT,
            staff_id=staff_id,
            topic=episode.topic,
            channel=conversation.channel,
            campaign_run_id=episode.campaign_run_id,
        )
        if not feedback.ask(connection, asking, now):
            return
        episodes.add_event(
            connection, conversation.id, episode.id, EventKind.SURVEY_SENT, now
        )
        self._recorder.advance(connection, conversation, SurveyDue(episode.id), now)
