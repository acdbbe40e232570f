"""The pages in Chromium: one walk through the first four, and the chat beside them."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from email.message import EmailMessage
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Page, expect

from core.model import Role, system
from storage import versions
from storage.database import open_database
from storage.versions import ContentKind
from tests.browser.chromium import watch
from tests.web.site import PASSWORD, SETUP_CODE, Site, running
from tests.web.test_duplicates import people

pytestmark = pytest.mark.browser

DEFINITION = "campaign: win-back\ntitle: Win back\ntopic: offers\nchannel: email\n"
QUICK_MILLISECONDS = 15_000


@pytest.fixture
def site(sqlite_template: Path, tmp_path: Path) -> Iterator[Site]:
    """A running site with nobody in it yet."""
    file = shutil.copy(sqlite_template, tmp_path / "rapport.db")
    with (
        open_database(f"sqlite:///{file}") as database,
        running(database, tmp_path) as started,
    ):
        yield started


@pytest.fixture
def customer(browser: Browser, page_errors: list[str]) -> Iterator[Page]:
    """A second browser: a customer's telephone."""
    size = {"width": 390, "height": 700}
    with browser.new_context(locale="en-GB", viewport=size) as context:
        page = context.new_page()
        page.set_default_timeout(QUICK_MILLISECONDS)
        watch(page, page_errors)
        yield page


def enter(page: Page, site: Site, role: Role = Role.ADMIN) -> None:
    page.set_default_timeout(QUICK_MILLISECONDS)
    email = site.add(role)
    page.goto(f"{site.url}/sign-in")
    page.get_by_label("E-mail").fill(email)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("navigation", name="Main").wait_for()


def receive_mail(site: Site) -> None:
    mail = EmailMessage()
    mail["From"], mail["To"] = "hello@shop.example", "ann@mail.example"
    mail["Subject"] = "We kept something for you"
    mail.set_content("Hello Ann")
    mail.add_alternative("<h1 style='color: teal'>Hello Ann</h1>", subtype="html")
    (site.maildir / "new").mkdir(parents=True)
    (site.maildir / "new" / "1.M1P1.host").write_bytes(mail.as_bytes())


def test_first_run_makes_the_admin_who_sees_satisfaction(
    site: Site, page: Page
) -> None:
    page.goto(site.url)
    page.get_by_label("Set-up code").fill(SETUP_CODE)
    page.get_by_label("Your name").fill("Ada Winter")
    page.get_by_label("E-mail").fill("ada@shop.example")
    page.get_by_label("Password").fill(PASSWORD)

    page.get_by_role("button", name="Make the account").click()

    expect(page.get_by_role("heading", level=1)).to_have_text("Satisfaction")


def test_figures_follow_the_filter_and_keep_it_in_the_address(
    site: Site, page: Page
) -> None:
    enter(page, site)
    page.goto(f"{site.url}/satisfaction")

    page.get_by_label("Time").select_option("90")

    expect(page).to_have_url(re.compile("days=90"))
    expect(page.get_by_label("Time")).to_have_value("90")


def test_campaigns_lead_to_their_page_and_the_mailbox_to_the_mail(
    site: Site, page: Page
) -> None:
    now = site.clock.now()
    files = {"campaign.yaml": DEFINITION}
    site.database.write_now(
        system("test"),
        lambda c: versions.push(c, ContentKind.CAMPAIGN, "win-back", files, now),
    )
    receive_mail(site)
    enter(page, site)

    page.get_by_role("link", name="Campaigns").click()
    page.get_by_role("link", name="Win back").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Win back")
    page.get_by_role("link", name="Mailbox").click()
    page.get_by_role("link", name="We kept something for you").click()

    mail = page.frame_locator("iframe.mail-frame")
    expect(mail.get_by_role("heading")).to_have_text("Hello Ann")


def test_two_are_merged_by_keyboard_and_parted_again(site: Site, page: Page) -> None:
    site.database.write_now(system("test"), lambda c: people(c, site))
    enter(page, site)
    page.goto(f"{site.url}/duplicates")

    page.get_by_label("Keep number 1").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status").first).to_contain_text("Ann is part of Anna now.")
    page.get_by_role("button", name="Undo the merge").first.click()

    expect(page.get_by_role("status").first).to_contain_text("are two customers again")


def test_agent_answers_a_web_chat_live(site: Site, page: Page, customer: Page) -> None:
    enter(page, site, Role.AGENT)
    customer.goto(f"{site.url}/chat")
    customer.get_by_label("Your message").fill("/human")
    customer.keyboard.press("Enter")

    page.get_by_role("link", name=re.compile("Visitor")).click()
    page.get_by_role("button", name="Take over").click()
    page.get_by_label("Reply", exact=True).fill("Ada here. How can I help?")
    page.get_by_role("button", name="Send", exact=True).click()

    expect(customer.get_by_role("log")).to_contain_text("Ada here. How can I help?")
    customer.get_by_label("Your message").fill("Thank you")
    customer.keyboard.press("Enter")
    expect(page.get_by_role("log")).to_contain_text("Thank you")
    expect(page.locator("#owner")).to_contain_text("With you")


def test_chat_keeps_its_thread_on_reload(site: Site, customer: Page) -> None:
    customer.goto(f"{site.url}/chat")
    customer.get_by_label("Your message").fill("/human")
    customer.keyboard.press("Enter")
    customer.locator("li.bubble.customer[data-key]").wait_for()

    customer.reload()

    expect(customer.locator("li.bubble.customer")).to_contain_text("/human")


def test_chat_says_what_was_not_sent_and_sends_it_again(
    site: Site, customer: Page, page_errors: list[str]
) -> None:
    customer.goto(f"{site.url}/chat")
    customer.route("**/chat", lambda route: route.abort())
    customer.get_by_label("Your message").fill("/human")
    customer.keyboard.press("Enter")
    expect(customer.get_by_role("log")).to_contain_text("not sent")
    customer.unroute("**/chat")

    customer.get_by_role("button", name="Try again").click()

    customer.locator("li.bubble.customer[data-key]").wait_for()
    page_errors.clear()  # the network error that this test made


@pytest.mark.parametrize("width", [800, 320])
@pytest.mark.parametrize(
    "path",
    [
        "/satisfaction",
        "/campaigns",
        "/inbox",
        "/duplicates",
        "/settings",
        "/mailbox",
    ],
)
def test_page_needs_no_sideways_scrolling(
    wide_site: Site, signed_in: Page, path: str, width: int
) -> None:
    signed_in.set_viewport_size({"width": width, "height": 700})

    signed_in.goto(f"{wide_site.url}{path}")

    assert signed_in.evaluate("document.documentElement.scrollWidth") <= width


@pytest.fixture(scope="module")
def wide_site(
    sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Site]:
    """One site for all widths."""
    folder = tmp_path_factory.mktemp("wide")
    file = shutil.copy(sqlite_template, folder / "rapport.db")
    with (
        open_database(f"sqlite:///{file}") as database,
        running(database, folder) as started,
    ):
        yield started


@pytest.fixture(scope="module")
def signed_in(browser: Browser, wide_site: Site) -> Iterator[Page]:
    """An administrator's page, signed in once."""
    with browser.new_context(locale="zh-CN") as context:
        page = context.new_page()
        email = wide_site.add(Role.ADMIN)
        page.goto(f"{wide_site.url}/sign-in")
        page.locator("#email").fill(email)
        page.locator("#password").fill(PASSWORD)
        page.locator("button.primary").click()
        page.locator("nav.rail").wait_for()
        yield page
