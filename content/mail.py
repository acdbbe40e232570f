"""A version made ready: layout and body joined once, then rendered per customer."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from content import files
from content.campaign import Campaign, parse_campaign
from content.condition import FieldKind
from content.files import CampaignSource
from content.inline import Part, html_of_mjml, inline_css, protect, restore
from content.template import Places, Template, compile_template
from content.variables import HTML_ROOTS
from core.errors import CampaignError, Problem, TemplateError
from core.model import Channel

BODY_MARK = "<!-- body -->"


@dataclass(frozen=True, slots=True)
class Composed:
    """One template out of layout and body; `places` leads its lines back to theirs."""

    source: str
    places: Places


@dataclass(frozen=True, slots=True)
class Rendered:
    """One message to one customer, in every form that its version has."""

    subject: str
    preheader: str
    html: str | None
    text: str
    chat: str
    language: str


@dataclass(frozen=True, slots=True)
class Texts:
    """The templates of one language; None where the campaign has no such part."""

    language: str
    subject: Template | None = None
    preheader: Template | None = None
    html: Template | None = None
    text: Template | None = None
    chat: Template | None = None

    def templates(self) -> list[Template]:
        """Those that exist."""
        parts = (self.subject, self.preheader, self.html, self.text, self.chat)
        return [part for part in parts if part is not None]


@dataclass(frozen=True)
class CompiledVersion:
    """A campaign's version, ready to render; made once per run."""

    campaign: Campaign
    texts: Mapping[str, Texts]
    languages: Sequence[str]
    content_hash: str

    def language_for(self, wanted: str | None) -> str:
        """The customer's language, else its base, else the shop's first that exists."""
        base = (wanted or "").partition("-")[0]
        choices = [wanted, base, *self.languages, self.campaign.language]
        return next(choice for choice in choices if choice and choice in self.texts)

    def render(
        self, variables: Mapping[str, Any], language: str | None = None
    ) -> Rendered:
        """What one customer gets.

        `variables` are plain values under the roots that `content.variables` names.

        Raises
        ------
        TemplateError : a value is missing or of the wrong kind
        """
        texts = self.texts[self.language_for(language)]
        subject = one_line(_rendered(texts.subject, variables))
        preheader = one_line(_rendered(texts.preheader, variables))
        html = None
        if texts.html is not None:
            shown = {**variables, "subject": subject, "preheader": preheader}
            html = texts.html.render(shown)
        return Rendered(
            subject=subject,
            preheader=preheader,
            html=html,
            text=_rendered(texts.text, variables),
            chat=_rendered(texts.chat, variables).strip(),
            language=texts.language,
        )


def _rendered(template: Template | None, variables: Mapping[str, Any]) -> str:
    return "" if template is None else template.render(variables)


def one_line(text: str) -> str:
    """Text as a header takes it: line breaks and runs of space become one space."""
    return " ".join(text.split())


def compose(layout: Part, body: Part) -> Composed:
    """Layout and body as one page with its CSS inlined, before any personal value.

    Raises
    ------
    TemplateError : the layout has no place for the body, or a template tag stands
        where HTML or MJML can't keep it
    """
    prefix = _unused_prefix(layout.text + body.text)
    outer = protect(layout, f"{prefix}l")
    inner = protect(body, f"{prefix}b")
    before, mark, after = outer.html.partition(BODY_MARK)
    if not mark:
        problem = Problem(f"a layout needs {BODY_MARK} once", file=layout.file)
        raise TemplateError(problem)
    mjml = body.file.endswith(".mjml")
    middle = html_of_mjml(inner.html, body) if mjml else inner.html
    page = inline_css(before + middle + after)
    first = sum(tag.word in before for tag in outer.tags)
    tags = (*outer.tags[:first], *inner.tags, *outer.tags[first:])
    return Composed(*restore(page, tags))


def _unused_prefix(text: str) -> str:
    prefix = "rapporttag"
    while prefix in text.lower():
        prefix += "q"
    return prefix


def compile_version(
    source: CampaignSource,
    languages: Sequence[str] = ("en",),
    layout: Mapping[str, str] | None = None,
) -> CompiledVersion:
    """A version ready to render, in every language that it has.

    `languages` are the shop's, the first being the fallback. `layout` (file name →
    text) stands in where the version holds none of its own.

    Raises
    ------
    CampaignError, TemplateError : everything that is wrong with its files, at once
    """
    campaign = parse_definition(source)
    held = CampaignSource(source.key, {**(layout or {}), **source.files})
    texts: dict[str, Texts] = {}
    problems: list[Problem] = []
    for language in (campaign.language, *source.languages):
        suffix = None if language == campaign.language else language
        try:
            texts[language] = _compile_texts(held, campaign, language, suffix)
        except TemplateError as error:
            problems += error.problems
    if problems:
        raise TemplateError(*problems)
    return CompiledVersion(campaign, texts, tuple(languages), source.content_hash)


def parse_definition(
    source: CampaignSource, fields: Mapping[str, FieldKind] | None = None
) -> Campaign:
    """The definition among a campaign's files; its key must be the folder's name.

    With `fields`, what `where:` may ask for, its condition is checked as well.
    """
    file = source.path(files.DEFINITION)
    text = source.files.get(files.DEFINITION)
    if text is None:
        raise CampaignError(Problem("a campaign needs a definition", file=file))
    campaign = parse_campaign(text, file, fields)
    if campaign.key != source.key:
        expected = f"`campaign` must be the folder's name, {source.key}"
        raise CampaignError(Problem(expected, campaign.key, file=file))
    return campaign


def required_parts(campaign: Campaign) -> list[str]:
    """The files that every language of a campaign must have."""
    chats = any(channel is not Channel.EMAIL for channel in campaign.channels)
    mail = [files.SUBJECT, files.TEXT] if Channel.EMAIL in campaign.channels else []
    return mail + ([files.CHAT] if chats else [])


def _compile_texts(
    source: CampaignSource, campaign: Campaign, language: str, suffix: str | None
) -> Texts:
    problems: list[Problem] = []
    for name in required_parts(campaign):
        if source.part(name, suffix) is None:
            file = files.in_language(name, suffix) if suffix else name
            told = f"`{language}` needs this file for its channels"
            problems.append(Problem(told, file=source.path(file)))
    compiled: dict[str, Template | None] = {}
    for field, name in _PLAIN_PARTS.items():
        try:
            compiled[field] = _compile_plain(source, name, language, suffix)
        except TemplateError as error:
            problems += error.problems
    try:
        compiled["html"] = _compile_html(source, language, suffix)
    except TemplateError as error:
        problems += error.problems
    if problems:
        raise TemplateError(*problems)
    return Texts(language, **compiled)


_PLAIN_PARTS = {
    "subject": files.SUBJECT,
    "preheader": files.PREHEADER,
    "text": files.TEXT,
    "chat": files.CHAT,
}


def _compile_plain(
    source: CampaignSource, name: str, language: str, suffix: str | None
) -> Template | None:
    found = source.part(name, suffix)
    if found is None:
        return None
    file, text = found
    return compile_template(text, source.path(file), language=language)


def _compile_html(
    source: CampaignSource, language: str, suffix: str | None
) -> Template | None:
    body = source.part(files.HTML, suffix) or source.part(files.MJML, suffix)
    if body is None:
        return None
    layout = source.part(files.LAYOUT, language) or source.part(files.LAYOUT, None)
    if layout is None:
        problem = Problem("mails need a layout", file=files.LAYOUT)
        raise TemplateError(problem)
    parts = [Part(text, source.path(file)) for file, text in (layout, body)]
    # Each part is checked alone first, so that mistakes carry their own lines.
    for part in parts:
        _compile_part(part, language)
    composed = compose(*parts)
    return compile_template(
        composed.source,
        parts[1].file,
        language=language,
        html=True,
        roots=HTML_ROOTS,
        places=composed.places,
    )


@functools.lru_cache(maxsize=64)
def _compile_part(part: Part, language: str) -> None:
    compile_template(
        part.text, part.file, language=language, html=True, roots=HTML_ROOTS
    )
