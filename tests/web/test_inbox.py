"""The inbox and the web chat, from both sides."""

from __future__ import annotations

import re
import time

import httpx
import pytest

from core.model import CaseKind, EpisodeEnd, Role, system
from core.records import ConversationRecord, RecordKind
from storage import changes
from storage.erasure import erase
from tests.storage.importer import NOW, Importer
from tests.web.site import Site


def write(visitor: httpx.Client, text: str) -> None:
    """What a customer writes; waits until the turn was taken."""
    visitor.get("/chat")
    visitor.post("/chat", data={"text": text})
    deadline = time.monotonic() + 20
    while (page := visitor.get("/chat").text) and 'data-typing="yes"' in page:
        assert time.monotonic() < deadline, "the bot did not answer"
        time.sleep(0.02)


def version_of(agent: httpx.Client, conversation: int = 1) -> str:
    page = agent.get(f"/inbox/{conversation}").text
    return re.findall(r'name="version" value="(\d+)"', page)[0]


def test_customer_who_asks_for_a_person_waits_in_the_inbox(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")

        page = agent.get("/inbox").text

    assert "Waiting for a person · 1" in page
    assert "waits 1 minute" in page


def test_reply_reaches_the_customer_under_the_agent_s_name(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        agent.post("/inbox/1/take", data={"version": version_of(agent)})
        agent.post(
            "/inbox/1/reply", data={"version": version_of(agent), "text": "<b>Hi</b>"}
        )

        page = visitor.get("/chat").text

    assert "You talk to Ada Winter" in page
    assert "&lt;b&gt;Hi&lt;/b&gt;" in page


def test_second_agent_is_told_who_was_faster(talking_site: Site) -> None:
    with (
        talking_site.visitor() as visitor,
        talking_site.signed_in(Role.AGENT) as ada,
        talking_site.signed_in(Role.AGENT, "Jonas Weber") as jonas,
    ):
        write(visitor, "/human")
        seen = version_of(ada)
        jonas.post("/inbox/1/take", data={"version": seen})

        answer = ada.post("/inbox/1/take", data={"version": seen})

    assert answer.status_code == 409
    assert "Jonas Weber was faster and has it now." in answer.text


def test_refused_reply_keeps_what_was_written(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")

        answer = agent.post("/inbox/1/reply", data={"version": "0", "text": "My words"})

    assert answer.status_code == 409
    assert "My words" in answer.text


def test_empty_reply_is_not_sent(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        agent.post("/inbox/1/take", data={"version": version_of(agent)})

        answer = agent.post(
            "/inbox/1/reply", data={"version": version_of(agent), "text": " "}
        )

    assert answer.status_code == 422
    assert "The reply is empty or too long." in answer.text


def test_closed_conversation_leaves_the_inbox(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        agent.post("/inbox/1/take", data={"version": version_of(agent)})
        agent.post("/inbox/1/close", data={"version": version_of(agent)})

        page = agent.get("/inbox").text

    assert "Nobody writes at the moment." in page


def test_conversation_of_somebody_who_was_forgotten_says_so(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        write(visitor, "My Zanzibar lamp is broken")
        forget(talking_site)

        page = agent.get("/inbox/1")

    assert page.status_code == 200
    assert "Erased customer" in page.text
    assert "asked to be forgotten" in page.text
    assert "Zanzibar" not in page.text
    assert "Take over" not in page.text


def test_nobody_can_answer_somebody_who_was_forgotten(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        agent.post("/inbox/1/take", data={"version": version_of(agent)})
        seen = version_of(agent)
        forget(talking_site)

        answers = [
            agent.post("/inbox/1/reply", data={"version": seen, "text": "Hi"}),
            agent.post("/inbox/1/take", data={"version": int(seen) + 1}),
        ]
        page = agent.get("/inbox/1").text

    assert all(400 <= answer.status_code < 500 for answer in answers)
    assert "bubble agent" not in page


def test_who_was_forgotten_may_write_anew(talking_site: Site) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        forget(talking_site)

        write(visitor, "/human")

        page = agent.get("/inbox").text
    assert "/inbox/2" in page
    assert "Waiting for a person · 1" in page


def forget(site: Site) -> None:
    site.database.write_now(system("test"), lambda c: erase(c, 1, site.clock.now()))


def first_event(browser: httpx.Client, **headers: str) -> str:
    with browser.stream("GET", "/inbox/events", headers=headers) as answer:
        return next(line for line in answer.iter_lines() if line.startswith("id: "))


def test_feed_goes_on_after_the_event_that_the_browser_saw_last(
    talking_site: Site,
) -> None:
    with talking_site.visitor() as visitor, talking_site.signed_in(Role.AGENT) as agent:
        write(visitor, "/human")
        first = first_event(agent)
        write(visitor, "/human")

        following = first_event(agent, **{"Last-Event-ID": first.removeprefix("id: ")})

    assert int(following.removeprefix("id: ")) > int(first.removeprefix("id: "))
    newest = talking_site.database.read_now(changes.newest_id)
    assert int(following.removeprefix("id: ")) <= newest


def test_message_sent_twice_is_stored_once(talking_site: Site) -> None:
    with talking_site.visitor() as visitor:
        write(visitor, "/human")
        before = visitor.get("/chat").text.count('class="bubble customer"')
        for _ in range(2):
            visitor.post("/chat", data={"text": "Thank you", "id": "same"})
        write(visitor, "/human")

        after = visitor.get("/chat").text.count('class="bubble customer"')

    assert after == before + 2


@pytest.mark.parametrize("cookie", ["chosen.0123", "chosen", ".", ""])
def test_visitor_can_not_choose_an_address(talking_site: Site, cookie: str) -> None:
    with talking_site.visitor() as visitor:
        answer = visitor.post(
            "/chat", data={"text": "Hello"}, headers={"Cookie": f"chat={cookie}"}
        )

    assert answer.status_code == 400


def test_only_the_shop_may_frame_the_chat(talking_site: Site) -> None:
    with talking_site.visitor() as visitor:
        policy = visitor.get("/chat").headers["content-security-policy"]

    assert "frame-ancestors 'self' https://shop.example;" in policy


def test_imported_conversation_is_shown_and_cannot_be_taken(talking_site: Site) -> None:
    ticket = ConversationRecord(
        *(2, "T1", None, CaseKind.CALL, NOW, NOW, EpisodeEnd.ABANDONED)
    )
    Importer(talking_site.database)(RecordKind.CONVERSATIONS, ticket)

    with talking_site.signed_in(Role.AGENT) as agent:
        page = agent.get("/inbox/1").text
        answer = agent.post("/inbox/1/take", data={"version": "0"})

    assert "nobody can answer here" in page
    assert "Take over" not in page
    assert answer.status_code >= 400
