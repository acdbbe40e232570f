"""Signing in: the first account, sessions, and tries that fail."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import select, update

from core.clock import SystemClock
from core.model import Role, system
from storage.schema import sessions, staff
from storage.staff import Failures
from tests.web.site import PASSWORD, SETUP_CODE, Site, sign_in
from web.passwords import FREE_TRIES_PER_ACCOUNT, LONGEST_WAIT, wait_until
from web.signin import new_setup_code

FIRST = {
    "code": SETUP_CODE,
    "name": "Ada Winter",
    "email": "ada@shop.example",
    "password": PASSWORD,
}


def test_first_run_leads_to_the_set_up_page(site: Site) -> None:
    with site.visitor() as browser:
        answer = browser.get("/", follow_redirects=True)

    assert answer.url.path == "/set-up"


def test_set_up_code_makes_the_admin_and_signs_in(site: Site) -> None:
    with site.visitor() as browser:
        browser.post("/set-up", data=FIRST)
        answer = browser.get("/settings")

    assert "Administrator" in answer.text


def test_wrong_set_up_code_makes_nobody(site: Site) -> None:
    with site.visitor() as browser:
        answer = browser.post("/set-up", data=FIRST | {"code": "wrong"})

    assert answer.status_code == 403
    assert site.database.read_now(lambda c: c.execute(select(staff)).first()) is None


def test_set_up_page_is_gone_once_there_is_staff(site: Site) -> None:
    site.add(Role.AGENT)

    with site.visitor() as browser:
        answers = [browser.get("/set-up"), browser.post("/set-up", data=FIRST)]

    assert [answer.status_code for answer in answers] == [404, 404]


def test_set_up_refuses_a_short_password(site: Site) -> None:
    with site.visitor() as browser:
        answer = browser.post("/set-up", data=FIRST | {"password": "short"})

    assert "at least 10 characters" in answer.text


def test_set_up_codes_differ() -> None:
    assert new_setup_code() != new_setup_code()


@pytest.mark.parametrize(
    "email",
    ["agent-ada@shop.example", "nobody@shop.example"],  # known, unknown
)
def test_wrong_password_says_the_same_for_everybody(site: Site, email: str) -> None:
    site.add(Role.AGENT)

    with site.visitor() as browser:
        answer = sign_in(browser, email, "a wrong password")

    assert answer.status_code == 401
    assert "E-mail or password is wrong." in answer.text


def test_too_many_tries_block_even_the_right_password(site: Site) -> None:
    email = site.add(Role.AGENT)
    with site.visitor() as browser:
        for _ in range(FREE_TRIES_PER_ACCOUNT + 3):
            sign_in(browser, email, "a wrong password")

        answer = sign_in(browser, email)

    assert answer.status_code == 429


def test_wait_doubles_up_to_a_limit() -> None:
    now = SystemClock().now()
    waits = [wait_until(Failures(n, now), 5) for n in (4, 5, 6, 7, 99)]

    seconds = [
        None if until is None else (until - now).total_seconds() for until in waits
    ]

    assert seconds == [None, 1, 2, 4, LONGEST_WAIT.total_seconds()]


def test_session_cookie_is_not_for_scripts(site: Site) -> None:
    with site.visitor() as browser:
        answer = sign_in(browser, site.add(Role.AGENT))

    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=lax" in cookie


def test_stored_session_is_not_the_token(site: Site) -> None:
    with site.signed_in(Role.AGENT) as browser:
        token = browser.cookies["session"]

    stored = site.database.read_now(lambda c: c.scalar(select(sessions.c.token_hash)))
    assert stored != token


def test_token_opens_nothing_after_signing_out(site: Site) -> None:
    with site.signed_in(Role.AGENT) as browser:
        token = browser.cookies["session"]
        browser.post("/sign-out")
        browser.cookies.set("session", token)

        answer = browser.get("/inbox")

    assert answer.headers["location"].startswith("/sign-in")


@pytest.mark.parametrize(
    "column",
    ["seen_at", "created_at"],  # idle limit, absolute limit
)
def test_old_session_is_over(site: Site, column: str) -> None:
    old = site.clock.now() - timedelta(days=30)
    with site.signed_in(Role.AGENT) as browser:
        site.database.write_now(
            system("test"), lambda c: c.execute(update(sessions).values({column: old}))
        )

        answer = browser.get("/inbox")

    assert answer.headers["location"].startswith("/sign-in")


def test_new_role_ends_the_session(site: Site) -> None:
    with site.signed_in(Role.AGENT, "Jonas Weber") as agent:
        with site.signed_in(Role.ADMIN) as admin:
            admin.post("/settings/team/1", data={"role": "marketer", "active": "yes"})

        answer = agent.get("/settings")

    assert answer.status_code == 303


def test_last_administrator_stays(site: Site) -> None:
    with site.signed_in(Role.ADMIN) as admin:
        answer = admin.post("/settings/team/1", data={"role": "agent", "active": "yes"})

    assert "one active administrator has to stay" in answer.text


@pytest.mark.parametrize(
    "target",
    [
        "https://evil.example/",
        "//evil.example/",
        "/\\evil.example",
        "/a\tb",
    ],
)
def test_sign_in_leads_to_no_other_host(site: Site, target: str) -> None:
    email = site.add(Role.LEAD)

    with site.visitor() as browser:
        answer = browser.post(
            "/sign-in", data={"email": email, "password": PASSWORD, "next": target}
        )

    assert answer.headers["location"] == "/"
