"""What a careful colleague would say about a campaign before it is launched."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from html.parser import HTMLParser

from content import files
from content.campaign import Campaign, CampaignKind
from content.condition import FieldKind, fields_of
from content.files import CampaignSource, in_language
from content.mail import compile_version, parse_definition, required_parts
from content.template import check_template
from content.usage import Usage
from content.variables import HTML_ROOTS
from content.where import parse
from core.errors import Problem, RapportError, did_you_mean

SUBJECT_CHARACTERS_MAX = 60
# Telegram refuses messages over 4096 characters.
CHAT_CHARACTERS_MAX = 4096
# Gmail cuts a mail there, and the footer with the unsubscribe link is what goes.
HTML_BYTES_MAX = 102 * 1024
WORDS_MIN_BESIDE_IMAGES = 20

_VOID = frozenset(
    {
        "area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta",
        "source", "track", "wbr",
    }
)  # fmt: skip
# HTML itself closes these where their parent ends.
_SELF_CLOSING = frozenset({"p", "li", "tr", "td", "th", "tbody", "thead", "option"})
_JINJA = re.compile(r"\{\{.*?\}\}|\{%.*?%\}|\{#.*?#\}", re.DOTALL)


class Severity(StrEnum):
    """An error stops a launch; a warning is for a person to weigh."""

    ERROR = "error"
    WARNING = "warning"


@dataclass(frozen=True, slots=True)
class Finding:
    """One remark, with its place."""

    severity: Severity
    file: str
    line: int | None
    message: str

    def __str__(self) -> str:
        place = self.file if self.line is None else f"{self.file}:{self.line}"
        return f"{place}: {self.severity}: {self.message}"


def lint(
    source: CampaignSource, fields: Mapping[str, FieldKind] | None = None
) -> list[Finding]:
    """All findings of a campaign, errors first, then by file and line.

    With `fields`, what `where:` may ask for, its condition is checked as well.
    """
    try:
        campaign = parse_definition(source, fields)
    except RapportError as error:
        return _ordered([_of_problem(problem) for problem in error.problems])
    found = _compile_findings(source)
    for language in (campaign.language, *source.languages):
        suffix = None if language == campaign.language else language
        found += _Language(source, campaign, suffix).findings()
    return _ordered(found)


def unknown_names(
    source: CampaignSource,
    fields: Mapping[str, FieldKind],
    known: Mapping[str, Collection[str]],
) -> list[Finding]:
    """Warnings about attributes and preferences that no customer has.

    `known` names them by their root. The files must be without errors.
    """
    campaign = parse_definition(source, fields)
    named = {
        (file, path.removeprefix("customer."))
        for language in (campaign.language, *source.languages)
        for file, path in _Language(
            source, campaign, None if language == campaign.language else language
        ).paths()
    }
    if campaign.where is not None:
        definition = source.path(files.DEFINITION)
        asked = fields_of(parse(campaign.where, fields))
        named |= {(definition, name) for name in asked}
    found = []
    for file, path in named:
        root, dot, name = path.partition(".")
        if dot and root in known and name not in known[root]:
            hint = did_you_mean(name, known[root])
            message = f"no customer has `{path}` yet" + (f". {hint}" if hint else "")
            found.append(Finding(Severity.WARNING, file, None, message))
    return _ordered(found)


def _ordered(found: list[Finding]) -> list[Finding]:
    unique = dict.fromkeys(found)
    return sorted(
        unique, key=lambda finding: (finding.severity, finding.file, finding.line or 0)
    )


def _of_problem(problem: Problem) -> Finding:
    message = problem.expected
    if problem.value is not None:
        message += f": {problem.value}"
    if problem.hint:
        message += f". {problem.hint}"
    return Finding(Severity.ERROR, str(problem.file or ""), problem.line, message)


def _compile_findings(source: CampaignSource) -> list[Finding]:
    try:
        compile_version(source)
    except RapportError as error:
        return [_of_problem(problem) for problem in error.problems]
    return []


class _Language:
    """The texts of one language of a campaign."""

    def __init__(
        self, source: CampaignSource, campaign: Campaign, suffix: str | None
    ) -> None:
        self.source = source
        self.campaign = campaign
        self.suffix = suffix

    def findings(self) -> list[Finding]:
        checks: tuple[Callable[[], Iterator[Finding]], ...] = (
            self.bare_fields,
            self.subject,
            self.chat,
            self.unsubscribe,
            self.html,
            self.preheader,
        )
        return [finding for check in checks for finding in check()]

    def usage(self, name: str) -> tuple[str, str, Usage] | None:
        found = self.source.part(name, self.suffix)
        if found is None:
            return None
        file, text = found
        path = self.source.path(file)
        return path, text, check_template(text, path, roots=HTML_ROOTS)

    def paths(self) -> Iterator[tuple[str, str]]:
        """Each file with what it names."""
        for name in files.PARTS:
            found = self.usage(name)
            if found is not None:
                yield from ((found[0], path) for path in found[2].paths)

    def bare_fields(self) -> Iterator[Finding]:
        for name in files.PARTS:
            found = self.usage(name)
            for bare in found[2].bare if found else ():
                message = (
                    f"`{bare.path}` is empty for some customers: "
                    f'write {{{{ {bare.path} | default("…") }}}} '
                    f"or put it inside {{% if {bare.path} %}}"
                )
                yield Finding(Severity.WARNING, found[0], bare.line, message)  # type: ignore[index]

    def subject(self) -> Iterator[Finding]:
        found = self.usage(files.SUBJECT)
        if found and len(_JINJA.sub("", found[1]).strip()) > SUBJECT_CHARACTERS_MAX:
            message = f"a subject over {SUBJECT_CHARACTERS_MAX} characters is cut"
            yield Finding(Severity.WARNING, found[0], 1, message)
        if found and not found[1].strip():
            yield Finding(Severity.ERROR, found[0], 1, "the subject is empty")

    def preheader(self) -> Iterator[Finding]:
        if self.wants_mail and self.usage(files.PREHEADER) is None:
            message = "without a preheader, mailboxes show the first words of the body"
            yield Finding(
                Severity.WARNING, self.missing(files.PREHEADER), None, message
            )

    def chat(self) -> Iterator[Finding]:
        found = self.usage(files.CHAT)
        if found and len(_JINJA.sub("", found[1])) > CHAT_CHARACTERS_MAX:
            message = f"a chat message has at most {CHAT_CHARACTERS_MAX} characters"
            yield Finding(Severity.ERROR, found[0], None, message)

    def unsubscribe(self) -> Iterator[Finding]:
        if self.campaign.kind is not CampaignKind.PROMOTION or not self.wants_mail:
            return
        layout = self.layout()
        for name in (files.HTML, files.MJML, files.TEXT):
            found = self.usage(name)
            if found is None:
                continue
            named = set(found[2].paths)
            if name != files.TEXT and layout:
                named |= layout[2].paths
            if "links.unsubscribe" not in named:
                message = "a promotion needs a way out: {{ links.unsubscribe }}"
                yield Finding(Severity.ERROR, found[0], None, message)

    def html(self) -> Iterator[Finding]:
        found = self.usage(files.HTML) or self.usage(files.MJML)
        if found is None:
            return
        file, text, _ = found
        page = _Page(file, check_closing=file.endswith(".html"))
        page.feed(_without_jinja(text))
        page.close()
        yield from page.findings()
        layout = self.layout()
        size = len(text.encode()) + (len(layout[1].encode()) if layout else 0)
        if size > HTML_BYTES_MAX:
            message = f"Gmail cuts mails over {HTML_BYTES_MAX // 1024} KB"
            yield Finding(Severity.WARNING, file, None, message)

    @property
    def wants_mail(self) -> bool:
        return files.TEXT in required_parts(self.campaign)

    def missing(self, name: str) -> str:
        return self.source.path(in_language(name, self.suffix) if self.suffix else name)

    def layout(self) -> tuple[str, str, Usage] | None:
        language = self.suffix or self.campaign.language
        part = self.source.part(files.LAYOUT, language)
        part = part or self.source.part(files.LAYOUT, None)
        if part is None:
            return None
        return (*part, check_template(part[1], part[0], roots=HTML_ROOTS))


def _without_jinja(text: str) -> str:
    """The text with each expression as a word, lines kept in place."""

    def stand_in(tag: re.Match[str]) -> str:
        word = "x" if tag.group(0).startswith("{{") else ""
        return word + "\n" * tag.group(0).count("\n")

    return _JINJA.sub(stand_in, text)


class _Page(HTMLParser):
    """Reads one body for pictures, links, words and tags left open."""

    def __init__(self, file: str, *, check_closing: bool) -> None:
        super().__init__()
        self.file = file
        self.check_closing = check_closing
        self.found: list[Finding] = []
        self.open: list[tuple[str, int]] = []
        self.images = 0
        self.words = 0

    def note(self, severity: Severity, message: str, line: int | None = None) -> None:
        place = self.getpos()[0] if line is None else line
        self.found.append(Finding(severity, self.file, place, message))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_startendtag(tag, attrs)
        if tag not in _VOID:
            self.open.append((tag, self.getpos()[0]))

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if tag in {"img", "mj-image"}:
            self.images += 1
            if "alt" not in given:
                self.note(Severity.WARNING, f"<{tag}> has no alt text")
        for attribute in ("href", "src"):
            if (given.get(attribute) or "").lower().startswith("http://"):
                self.note(Severity.WARNING, f"{given[attribute]} is not https")

    def handle_endtag(self, tag: str) -> None:
        while (
            self.open and self.open[-1][0] != tag and self.open[-1][0] in _SELF_CLOSING
        ):
            self.open.pop()
        if self.open and self.open[-1][0] == tag:
            self.open.pop()
        elif any(tag == name for name, _ in self.open):
            while self.open[-1][0] != tag:
                self.not_closed(*self.open.pop())
            self.open.pop()
        elif self.check_closing:
            self.note(Severity.WARNING, f"</{tag}> closes nothing")

    def handle_data(self, data: str) -> None:
        # Chinese has no spaces: there, each character counts as a word.
        self.words += len(re.findall(r"[⺀-鿿]|[^\s⺀-鿿]+", data))

    def not_closed(self, tag: str, line: int) -> None:
        if self.check_closing and tag not in _SELF_CLOSING:
            self.note(Severity.WARNING, f"<{tag}> is not closed", line)

    def findings(self) -> list[Finding]:
        for tag, line in self.open:
            self.not_closed(tag, line)
        self.open = []
        if self.images and self.words < WORDS_MIN_BESIDE_IMAGES:
            message = "a mail of pictures alone says nothing where they are off"
            self.note(Severity.WARNING, message)
        return self.found
