"""What every answer carries, and which requests are refused before any page runs."""

from __future__ import annotations

import pytest

from core.model import Role
from core.settings import Settings, Web
from tests.web.site import Site
from web.access import cookie_name
from web.security import BODY_LIMIT_BYTES


@pytest.mark.parametrize("path", ["/sign-in", "/nowhere", "/chat", "/assets/style.css"])
def test_every_answer_forbids_code_from_elsewhere(shared_site: Site, path: str) -> None:
    with shared_site.visitor() as browser:
        policy = browser.get(path).headers["content-security-policy"]

    assert "default-src 'none'; script-src 'self'; style-src 'self'" in policy


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},  # another subdomain is not us
        {"Sec-Fetch-Site": "none"},
        {"Sec-Fetch-Site": "", "Origin": "https://evil.example"},
    ],
)
def test_write_from_another_site_is_refused(
    site: Site, headers: dict[str, str]
) -> None:
    with site.signed_in(Role.ADMIN) as browser:
        answer = browser.post("/sign-out", headers=headers)

    assert answer.status_code == 403


def test_old_browser_without_fetch_metadata_may_write_from_our_origin(
    site: Site,
) -> None:
    with site.signed_in(Role.ADMIN) as browser:
        del browser.headers["Sec-Fetch-Site"]
        answer = browser.post("/sign-out", headers={"Origin": site.url})

    assert answer.headers["location"] == "/sign-in"


def test_write_that_names_no_origin_is_refused(site: Site) -> None:
    with site.signed_in(Role.ADMIN) as browser:
        del browser.headers["Sec-Fetch-Site"]
        answer = browser.post("/sign-out")

    assert answer.status_code == 403


def test_huge_body_is_refused(shared_site: Site) -> None:
    with shared_site.visitor() as browser:
        answer = browser.post("/sign-in", data={"email": "x" * (BODY_LIMIT_BYTES + 1)})

    assert answer.status_code == 413
    assert "too long" in answer.text


def test_error_page_speaks_the_reader_s_language(shared_site: Site) -> None:
    with shared_site.visitor() as browser:
        answer = browser.get("/nowhere", headers={"Accept-Language": "zh-CN,en;q=0.5"})

    assert answer.status_code == 404
    assert "此地址没有内容" in answer.text


def test_asset_with_its_hash_is_kept_for_ever(shared_site: Site) -> None:
    with shared_site.visitor() as browser:
        page = browser.get("/chat").text
        address = page.split('rel="stylesheet" href="')[1].split('"')[0]

        answer = browser.get(address)

    assert "immutable" in answer.headers["cache-control"]


def test_asset_outside_of_the_list_is_not_there(shared_site: Site) -> None:
    with shared_site.visitor() as browser:
        answer = browser.get("/assets/../server.py")

    assert answer.status_code == 404


def test_https_ties_the_cookie_to_the_host() -> None:
    from types import SimpleNamespace

    settings = Settings(web=Web(public_url="https://shop.example"))

    assert cookie_name(SimpleNamespace(settings=settings)) == "__Host-session"  # type: ignore[arg-type]
