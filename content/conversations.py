"""Tickets, chats and calls with the time that they took, read row by row."""

from __future__ import annotations

from datetime import datetime, timedelta

from content.mapping import FileMapping
from content.ratings import COMMENT_MAX, Ratings
from content.rows import Cells, FileDefaults, Forms, RowReader
from content.table import Table
from content.values import BadValue, count
from core.model import CaseKind, EpisodeEnd
from core.records import ConversationRecord

KINDS = {
    **dict.fromkeys(("chat", "live chat", "webchat", "聊天", "在线"), CaseKind.CHAT),
    **dict.fromkeys(("mail", "email", "e-mail", "邮件", "邮箱"), CaseKind.MAIL),
    **dict.fromkeys(("call", "phone", "voice", "电话", "来电"), CaseKind.CALL),
    **dict.fromkeys(("request", "ticket", "form", "web"), CaseKind.REQUEST),
    **dict.fromkeys(("self service", "portal", "工单"), CaseKind.REQUEST),
}
# None: it goes on.
ENDS = {
    **dict.fromkeys(("resolved", "solved", "closed", "done"), EpisodeEnd.RESOLVED),
    **dict.fromkeys(("answered", "已解决", "已关闭", "完成"), EpisodeEnd.RESOLVED),
    **dict.fromkeys(("abandoned", "missed", "unanswered"), EpisodeEnd.ABANDONED),
    **dict.fromkeys(("放弃", "未接", "未接听"), EpisodeEnd.ABANDONED),
    **dict.fromkeys(("contained", "self-served", "机器人"), EpisodeEnd.CONTAINED),
    **dict.fromkeys(("open", "new", "pending", "on hold", "active"), None),
    **dict.fromkeys(("打开", "待处理", "处理中"), None),
}


def conversation_reader(
    table: Table, mapping: FileMapping, defaults: FileDefaults
) -> RowReader[ConversationRecord]:
    """Reads conversations, one a row."""
    form = _Form(mapping, defaults)
    return RowReader(table, mapping, form.conversation)


class _Form:
    """How the words of one file become conversations."""

    def __init__(self, mapping: FileMapping, defaults: FileDefaults) -> None:
        self._forms = Forms(mapping, defaults)
        self._ratings = Ratings(mapping, self._forms.numbers)

    def conversation(self, cells: Cells) -> ConversationRecord:
        forms = self._forms
        kind = _kind(cells)
        opened_at = forms.required_moment(cells, "opened_at")
        first_response_at = self._first_response(cells, opened_at)
        handling_seconds = forms.seconds(cells, "handling_seconds") or None
        goes_on, ended = _ended(cells)
        closed_at = _later(cells, "closed_at", opened_at, forms)
        if closed_at is None and not goes_on and (ended or kind is CaseKind.CALL):
            # A call is over, whatever the file says: it ended with the talk.
            talk = timedelta(seconds=handling_seconds or 0)
            closed_at = (first_response_at or opened_at) + talk
        if goes_on:
            closed_at = None
        reopened = _reopened(cells)
        return ConversationRecord(
            cells.line,
            cells.required("id"),
            cells.identifier("customer"),
            kind,
            opened_at,
            closed_at,
            (ended or EpisodeEnd.RESOLVED) if closed_at else None,
            cells.short("topic"),
            cells.short("agent", 320),
            first_response_at,
            handling_seconds,
            reopened,
            *self._ratings.rating(cells),
            issue=cells.short("issue"),
            comment=cells.short("comment", COMMENT_MAX),
        )

    def _first_response(self, cells: Cells, opened_at: datetime) -> datetime | None:
        at = _later(cells, "first_response_at", opened_at, self._forms)
        waited = self._forms.seconds(cells, "first_response_seconds")
        if at is not None or waited is None:
            return at
        return opened_at + timedelta(seconds=waited)


def _kind(cells: Cells) -> CaseKind:
    text = cells.word("kind")
    if text is None:
        return CaseKind.REQUEST
    if text.lower() not in KINDS:
        raise BadValue("bad_kind", text)
    return KINDS[text.lower()]


def _ended(cells: Cells) -> tuple[bool, EpisodeEnd | None]:
    """Whether the file says that it goes on, and how it ended."""
    text = cells.word("ended")
    if text is None:
        return False, None
    if text.lower() not in ENDS:
        raise BadValue("bad_end", text)
    ended = ENDS[text.lower()]
    return ended is None, ended


def _reopened(cells: Cells) -> int:
    text = cells.word("reopened")
    return 0 if text is None else count(text)


def _later(
    cells: Cells, field: str, opened_at: datetime, forms: Forms
) -> datetime | None:
    at = forms.moment(cells, field)
    if at is not None and at < opened_at:
        raise BadValue("before_opened", cells.word(field) or "")
    return at
