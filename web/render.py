"""Pages: templates in the reader's language, and error pages in words."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from fastapi import Request
from fastapi.responses import HTMLResponse
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from content.phrases import load_phrases
from content.profile import content_root
from core.errors import Problem
from core.model import Owner, Role
from core.settings import Settings
from storage import candidates, console
from storage.console import QueueEntry
from storage.staff import Member
from web import languages
from web.access import services
from web.assets import Assets
from web.icons import icon
from web.languages import LOCALES, Reader
from web.words import N_, Kind

FOLDER = Path(__file__).parent / "pages"
LANGUAGE_COOKIE = "language"
FILTERS = (
    "number",
    "signed",
    "percent",
    "money",
    "day",
    "date",
    "moment",
    "moment_here",
    "clock_time",
    "span",
    "duration",
    "file_size",
)


@dataclass(frozen=True, slots=True)
class Place:
    """One entry of the rail."""

    path: str
    name: str
    icon: str
    roles: frozenset[Role]


_ALL = frozenset(Role)
_SERVICE = frozenset({Role.AGENT, Role.LEAD, Role.ADMIN})
_OUTREACH = frozenset({Role.MARKETER, Role.LEAD, Role.ADMIN})
PLACES = (
    Place("/inbox", N_("Inbox"), "inbox", _SERVICE),
    Place("/satisfaction", N_("Satisfaction"), "satisfaction", _ALL),
    Place("/campaigns", N_("Campaigns"), "campaigns", _OUTREACH),
    Place("/duplicates", N_("Duplicates"), "duplicates", _OUTREACH),
    Place("/data", N_("Data"), "data", _OUTREACH),
    Place("/mailbox", N_("Mailbox"), "mailbox", _OUTREACH),
    Place("/settings", N_("Settings"), "settings", _ALL),
)

REASONS = {
    400: N_("The request could not be read."),
    401: N_("Please sign in."),
    403: N_("Your role does not open this page. Ask an administrator for access."),
    404: N_("There is nothing at this address. It may have been moved or removed."),
    405: N_("This page can't be used in this way. Go back and try the button there."),
    409: N_("Somebody else was faster. Look at the page again."),
    413: N_("That is too long to be sent. Shorten it and try again."),
    422: N_("A field is missing or of the wrong form."),
    429: N_("Too many tries. Wait a moment, then try again."),
    500: N_("The program met an error. It is in the log; try again in a moment."),
}


class Pages:
    """Renders templates; one environment per language."""

    def __init__(self, settings: Settings, assets: Assets) -> None:
        self._settings = settings
        self._zone = ZoneInfo(settings.shop.timezone)
        shop = settings.shop
        self._phrases = load_phrases(
            shop.name,
            shop.support_email,
            tuple(shop.languages),
            own=content_root(shop.profile) / "bot",
        )
        self._environments = {
            locale: self._environment(Reader(locale, self._zone), assets)
            for locale in LOCALES
        }

    def reader(self, request: Request) -> Reader:
        """Who reads: language by cookie, browser or shop."""
        locale = languages.choose(
            request.cookies.get(LANGUAGE_COOKIE),
            request.headers.get("accept-language", ""),
            self._settings.shop.languages[0],
        )
        return Reader(locale, self._zone)

    def html(self, reader: Reader, name: str, values: dict[str, Any]) -> str:
        return self._environments[reader.locale].get_template(name).render(values)

    def plain(
        self, request: Request, template: str, status_code: int = 200, **values: Any
    ) -> HTMLResponse:
        """A page without the rail: sign-in, chat, public pages."""
        reader = self.reader(request)
        values |= {"reader": reader, "path": request.url.path}
        return HTMLResponse(self.html(reader, template, values), status_code)

    async def page(
        self,
        request: Request,
        member: Member,
        template: str,
        status_code: int = 200,
        **values: Any,
    ) -> HTMLResponse:
        """A page of the console for this member."""
        service = services(request)
        waiting = await service.database.read(console.waiting_count)
        places = [
            place
            for place in PLACES
            if member.role in place.roles
            and (place.path != "/mailbox" or service.maildir is not None)
        ]
        proposals = await service.database.read(candidates.count)
        frame = {
            "member": member,
            "places": places,
            "waiting": waiting,
            "proposals": proposals,
        }
        return self.plain(request, template, status_code, **frame, **values)

    def error(
        self, request: Request, status_code: int, problems: tuple[Problem, ...] = ()
    ) -> HTMLResponse:
        """What went wrong, in words, with the way back."""
        reason = REASONS.get(status_code, REASONS[500 if status_code > 499 else 400])
        return self.plain(
            request,
            "error.html",
            status_code,
            reason=reason,
            code=status_code,
            problems=problems,
        )

    def _environment(self, reader: Reader, assets: Assets) -> Environment:
        environment = Environment(
            loader=FileSystemLoader(FOLDER),
            autoescape=True,
            undefined=StrictUndefined,
            extensions=["jinja2.ext.i18n"],
            trim_blocks=True,
            lstrip_blocks=True,
        )
        catalogue = languages.translations(reader.locale)
        environment.install_gettext_translations(catalogue, newstyle=True)  # type: ignore[attr-defined]
        for name in FILTERS:
            environment.filters[name] = getattr(reader, name)
        language = reader.locale.partition("_")[0]

        def word(code: str | None, kind: Kind | str) -> str:
            if kind == Kind.ISSUE and code:
                return self._phrases.issue(code, language)
            return reader.word(code, kind)

        environment.filters["word"] = word
        environment.filters["translated"] = reader.text
        environment.filters["groupby_owner"] = by_owner
        environment.globals |= {
            "shop": self._settings.shop,
            "greeting": self._phrases.render("greeting", language),
            "assets": assets,
            "icon": icon,
            "locales": LOCALES,
            "word_choices": lambda codes, kind: [
                (code, reader.word(code, kind)) for code in codes
            ],
        }
        return environment


def by_owner(entries: Iterable[QueueEntry]) -> list[tuple[Owner, list[QueueEntry]]]:
    """The queue in its groups; the order of the entries stays."""
    groups = groupby(entries, key=lambda entry: entry.owner)
    return [(owner, list(found)) for owner, found in groups]


def pages(request: Request) -> Pages:
    """The renderer of this program."""
    found: Pages = request.app.state.pages
    return found
