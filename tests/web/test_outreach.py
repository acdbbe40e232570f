"""Campaign runs, the mailbox, and the links in messages."""

from __future__ import annotations

from email.message import EmailMessage
from itertools import pairwise

import pytest
from sqlalchemy import update

from core.model import (
    Channel,
    ConsentState,
    DeliveryState,
    IdentityKind,
    OnUncertain,
    Role,
    RunState,
    SkipReason,
    system,
)
from outreach import links
from storage import customers, deliveries, installation, runs, schema, versions
from storage.database import Connection
from storage.deliveries import Planned
from storage.erasure import erase
from storage.versions import ContentKind
from tests.web.site import Site

DEFINITION = "campaign: win-back\ntitle: Win back\ntopic: offers\nchannel: email\n"
TEST = system("test")


def plan(site: Site) -> int:
    """A running run for three customers: one to come, one held out, one capped."""
    now = site.clock.now()

    def work(connection: Connection) -> int:
        files = {"campaign.yaml": DEFINITION}
        version = versions.push(
            connection, ContentKind.CAMPAIGN, "win-back", files, now
        )
        run = runs.create(
            connection,
            "win-back",
            version.id,
            version.content_hash,
            "offers",
            OnUncertain.HOLD,
            now,
            now,
        )
        people = [person(connection, number) for number in range(3)]
        states = [
            (DeliveryState.PLANNED, None),
            (DeliveryState.SKIPPED, SkipReason.HOLDOUT),
            (DeliveryState.SKIPPED, SkipReason.CAPPED),
        ]
        rows = [
            Planned(customer_id, Channel.EMAIL, state, reason, None, {})
            for customer_id, (state, reason) in zip(people, states, strict=True)
        ]
        deliveries.add_planned(connection, run.id, rows, now)
        for _, state in pairwise([None, RunState.PLANNING, RunState.RUNNING]):
            runs.move(connection, run.id, state, now)
        return run.id

    def person(connection: Connection, number: int) -> int:
        typed = f"c{number}@mail.example"
        found = customers.identify(
            connection, IdentityKind.EMAIL, typed, now, f"Ann {number}"
        )
        customers.record_consent(
            connection,
            found.id,
            Channel.EMAIL,
            "offers",
            ConsentState.GRANTED,
            "form",
            now,
        )
        return found.id

    return site.database.write_now(TEST, work)


def token(site: Site, delivery_id: int = 1) -> str:
    key = site.database.write_now(TEST, lambda c: installation.key(c, "links"))
    return links.sign(key, "unsubscribe", delivery_id)


def agrees(site: Site) -> bool:
    return site.database.read_now(
        lambda c: customers.has_consent(c, 1, Channel.EMAIL, "offers")
    )


def test_run_says_in_words_why_customers_got_nothing(site: Site) -> None:
    run_id = plan(site)

    with site.signed_in(Role.MARKETER) as browser:
        page = browser.get(f"/campaigns/runs/{run_id}").text

    assert "Held out, to measure the effect" in page
    assert "Got enough messages lately" in page
    assert "Not enough data yet" in page


def test_rows_of_a_run_are_filtered_by_reason(site: Site) -> None:
    run_id = plan(site)

    with site.signed_in(Role.MARKETER) as browser:
        page = browser.get(
            f"/campaigns/runs/{run_id}?state=&channel=&reason=capped"
        ).text

    assert "Ann 2" in page
    assert "Ann 0" not in page


@pytest.mark.parametrize(
    ("steps", "state"),
    [
        (["pause"], RunState.PAUSED),
        (["pause", "resume"], RunState.RUNNING),
        (["cancel"], RunState.CANCELLED),
    ],
)
def test_run_obeys_its_buttons(site: Site, steps: list[str], state: RunState) -> None:
    run_id = plan(site)

    with site.signed_in(Role.MARKETER) as browser:
        for step in steps:
            browser.post(f"/campaigns/runs/{run_id}", data={"step": step})

    run = site.database.read_now(lambda c: runs.get(c, run_id))
    assert run is not None
    assert (run.state, run.state_reason) == (state, "by Ada Winter")


def test_impossible_step_says_why(site: Site) -> None:
    run_id = plan(site)

    with site.signed_in(Role.MARKETER) as browser:
        browser.post(f"/campaigns/runs/{run_id}", data={"step": "cancel"})
        answer = browser.post(f"/campaigns/runs/{run_id}", data={"step": "resume"})

    assert answer.status_code == 409
    assert "is cancelled and can&#39;t become running" in answer.text


def test_a_run_that_is_being_planned_can_not_be_hurried(site: Site) -> None:
    run_id = plan(site)
    planning = update(schema.campaign_runs).values(state=RunState.PLANNING)
    site.database.write_now(system("test"), lambda c: c.execute(planning))

    with site.signed_in(Role.MARKETER) as browser:
        answer = browser.post(f"/campaigns/runs/{run_id}", data={"step": "resume"})

    run = site.database.read_now(lambda c: runs.get(c, run_id))
    assert answer.status_code == 409
    assert run is not None
    assert run.state is RunState.PLANNING


def test_looking_at_the_unsubscribe_page_changes_nothing(site: Site) -> None:
    plan(site)

    with site.visitor() as browser:
        answer = browser.get(f"/u/{token(site)}")

    assert answer.status_code == 200
    assert agrees(site)


def test_one_click_of_a_mail_provider_withdraws_consent(site: Site) -> None:
    plan(site)

    with site.visitor() as browser:
        del browser.headers["Sec-Fetch-Site"]
        answer = browser.post(
            f"/u/{token(site)}", data={"List-Unsubscribe": "One-Click"}
        )

    assert answer.status_code == 200
    assert not agrees(site)


def test_the_unsubscribe_page_later_says_that_it_is_done(site: Site) -> None:
    plan(site)

    with site.visitor() as browser:
        browser.post(f"/u/{token(site)}")
        again = browser.get(f"/u/{token(site)}")

    assert "You are unsubscribed" in again.text


@pytest.mark.parametrize("path", ["/u/", "/preferences/", "/view/"])
def test_forged_link_opens_nothing(site: Site, path: str) -> None:
    plan(site)
    forged = links.sign(b"another key", "unsubscribe", 1)

    with site.visitor() as browser:
        answer = browser.get(f"{path}{forged}")

    assert answer.status_code == 404


@pytest.mark.parametrize("path", ["/u/", "/preferences/", "/view/"])
def test_a_link_of_somebody_who_was_forgotten_opens_nothing(
    site: Site, path: str
) -> None:
    plan(site)
    site.database.write_now(TEST, lambda c: erase(c, 1, site.clock.now()))

    with site.visitor() as browser:
        answer = browser.get(f"{path}{token(site)}")

    assert answer.status_code == 404
    assert "Ann" not in answer.text
    assert "mail.example" not in answer.text


@pytest.mark.parametrize("path", ["/u/", "/preferences/"])
def test_nothing_is_decided_by_a_link_of_the_forgotten(site: Site, path: str) -> None:
    plan(site)
    site.database.write_now(TEST, lambda c: erase(c, 1, site.clock.now()))

    with site.visitor() as browser:
        answer = browser.post(f"{path}{token(site)}", data={"topic-offers": "on"})

    assert answer.status_code == 404


def test_preferences_bring_consent_back(site: Site) -> None:
    plan(site)

    with site.visitor() as browser:
        browser.post(f"/preferences/{token(site)}", data={})
        withdrawn = agrees(site)
        browser.post(f"/preferences/{token(site)}", data={"topic-offers": "yes"})

    assert (withdrawn, agrees(site)) == (False, True)


def receive(site: Site) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = "hello@shop.example", "ann@mail.example"
    mail["Subject"] = "Hello"
    mail.set_content("Hello Ann")
    mail.add_alternative("<script>alert(1)</script>Hello", subtype="html")
    (site.maildir / "new").mkdir(parents=True)
    (site.maildir / "new" / "1.M1P1.host").write_bytes(mail.as_bytes())
    (site.maildir.parent / "secret").write_text("the word")


def test_mail_is_shown_in_a_sandbox_without_scripts(site: Site) -> None:
    receive(site)

    with site.signed_in(Role.MARKETER) as browser:
        policy = browser.get("/mailbox/1.M1P1.host/body").headers[
            "content-security-policy"
        ]

    assert "default-src 'none'" in policy
    assert "sandbox allow-popups" in policy
    assert "allow-scripts" not in policy


@pytest.mark.parametrize("name", ["..%2F..%2Fsecret", "..", "nothing", "%00"])
def test_mailbox_shows_nothing_but_its_mails(site: Site, name: str) -> None:
    receive(site)

    with site.signed_in(Role.MARKETER) as browser:
        answer = browser.get(f"/mailbox/{name}", follow_redirects=True)

    assert "the word" not in answer.text


@pytest.mark.parametrize(
    ("query", "found"), [("ann@mail", True), ("hello", True), ("nobody", False)]
)
def test_mailbox_finds_mails_by_their_headers(
    site: Site, query: str, found: bool
) -> None:
    receive(site)

    with site.signed_in(Role.MARKETER) as browser:
        page = browser.get("/mailbox", params={"q": query}).text

    assert ("1.M1P1.host" in page) is found
