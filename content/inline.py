"""CSS inlined and MJML made HTML, once per template, with Jinja kept whole.

An HTML parser throws text out of tables and escapes what it doesn't know, so Jinja's
tags travel as words that parsers leave alone: an expression as a letter-digit word, a
block tag between elements as a comment (which may stand between table rows).
"""

from __future__ import annotations

import functools
import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto

import css_inline
import mrml

from content.template import sandbox
from core.errors import Problem, TemplateError

LINK_ATTRIBUTES = frozenset({"href", "src", "action", "background"})
_RAW_TEXT = frozenset({"title", "style", "script", "textarea"})
# After these, an HTML parser throws text out of the table.
_BETWEEN_CELLS = frozenset(
    {
        "<table", "<thead", "<tbody", "<tfoot", "<tr", "</thead", "</tbody", "</tfoot",
        "</tr", "</td", "</th",
    }
)  # fmt: skip


class Where(Enum):
    """Where in HTML a Jinja tag stands."""

    CONTENT = auto()
    TAG = auto()
    VALUE = auto()
    RAW_TEXT = auto()
    COMMENT = auto()


@dataclass(frozen=True, slots=True)
class Tag:
    """One Jinja tag of a source, and what stands for it meanwhile."""

    text: str
    word: str
    place: tuple[str, int]
    where: Where


@dataclass(frozen=True, slots=True)
class Part:
    """A file whose text goes into a mail."""

    text: str
    file: str


@dataclass(frozen=True, slots=True)
class Protected:
    """HTML without Jinja; `tags` in their order say what to put back."""

    html: str
    tags: tuple[Tag, ...]


def protect(part: Part, prefix: str) -> Protected:
    """The part with words in place of Jinja tags, numbered after `prefix`."""
    scan = _Scan()
    pieces: list[str] = []
    tags: list[Tag] = []
    for line, kind, text in _pieces(part):
        if kind == "data":
            scan.feed(text)
            pieces.append(text)
            continue
        block = kind == "block"
        word = f"{prefix}{len(tags)}x"
        place = (part.file, line)
        shown = _stand_in(word, scan, block=block, place=place, text=text)
        guarded = not block and scan.at_link_start
        put_back = _link_guarded(text) if guarded else text
        tags.append(Tag(put_back, word, place, scan.where))
        scan.value_begun = True
        pieces.append(shown)
    return Protected("".join(pieces), tuple(tags))


def _pieces(part: Part) -> Iterator[tuple[int, str, str]]:
    """The source as (line, data | variable | block, text); comments are left out."""
    environment = sandbox("en", html=True)
    opened: tuple[int, str] | None = None
    held = ""
    for line, token, value in environment.lex(part.text, part.file):
        if token in {"variable_begin", "block_begin"}:
            opened, held = (line, token.removesuffix("_begin")), value
        elif token in {"variable_end", "block_end"} and opened:
            yield (*opened, held + value)
            opened = None
        elif opened:
            held += value
        elif token in {"raw_begin", "raw_end"}:
            yield line, "block", value
        elif token.startswith("data"):
            yield line, "data", value


def _stand_in(
    word: str, scan: _Scan, *, block: bool, place: tuple[str, int], text: str
) -> str:
    if scan.where is Where.TAG:
        raise TemplateError(
            Problem(
                "a template tag can't stand among an element's attributes",
                text,
                *place,
                hint="Put it inside an attribute's value, or around the element.",
            )
        )
    in_content = scan.where is Where.CONTENT
    if in_content and not block and scan.last_tag in _BETWEEN_CELLS:
        raise TemplateError(_not_in_a_cell(text, place))
    return f"<!--{word}-->" if block and in_content else word


def _not_in_a_cell(text: str, place: tuple[str, int]) -> Problem:
    return Problem(
        "a template tag stands where HTML allows no text",
        text,
        *place,
        hint="Between table rows only {% … %} can stand; show values in cells.",
    )


def _link_guarded(expression: str) -> str:
    """The expression, checked as a link: autoescape keeps `javascript:`."""
    inner = expression[2:-2].strip("-+ \t\n")
    return f"{{{{ ({inner}) | link }}}}"


class _Scan:
    """Follows HTML far enough to know where the next Jinja tag stands."""

    def __init__(self) -> None:
        self.where = Where.CONTENT
        self.value_begun = False
        self.last_tag = ""
        self._quote = ""
        self._element = ""
        self._attribute = ""

    @property
    def at_link_start(self) -> bool:
        """Whether a link attribute's value begins here."""
        return (
            self.where is Where.VALUE
            and not self.value_begun
            and self._attribute in LINK_ATTRIBUTES
        )

    def feed(self, text: str) -> None:
        position = 0
        while position < len(text):
            position = self._step(text, position)

    def _step(self, text: str, position: int) -> int:
        match self.where:
            case Where.CONTENT:
                return self._content(text, position)
            case Where.COMMENT:
                return self._until(text, position, "-->", Where.CONTENT)
            case Where.RAW_TEXT:
                end = re.compile(rf"</{self._element}\s*>", re.IGNORECASE)
                found = end.search(text, position)
                self.where = Where.CONTENT if found else Where.RAW_TEXT
                return found.end() if found else len(text)
            case Where.TAG:
                return self._tag(text, position)
            case Where.VALUE:
                return self._value(text, position)

    def _content(self, text: str, position: int) -> int:
        found = re.compile(r"<!--|</?([a-zA-Z][\w:-]*)|<[!?]").search(text, position)
        if not found:
            return len(text)
        if found.group(0) == "<!--":
            self.where = Where.COMMENT
        else:
            self.where = Where.TAG
            self.last_tag = found.group(0).lower()
            closing = self.last_tag.startswith("</")
            self._element = "" if closing else (found.group(1) or "").lower()
        return found.end()

    def _until(self, text: str, position: int, end: str, then: Where) -> int:
        found = text.find(end, position)
        if found < 0:
            return len(text)
        self.where = then
        return found + len(end)

    def _tag(self, text: str, position: int) -> int:
        pattern = r"([^\s\"'<>/=]+)\s*=\s*(\"|'|(?=[^\s>])|\Z)|[^\s\"'<>/=]+|>|."
        found = re.compile(pattern, re.DOTALL).match(text, position)
        assert found is not None  # noqa: S101  The last branch takes any character.
        if found.group(0) == ">":
            raw = self._element in _RAW_TEXT
            self.where = Where.RAW_TEXT if raw else Where.CONTENT
        elif found.group(1):
            self.where = Where.VALUE
            self.value_begun = False
            self._attribute = found.group(1).lower()
            self._quote = found.group(2)
        return found.end()

    def _value(self, text: str, position: int) -> int:
        if self._quote:
            end = text.find(self._quote, position)
            after = end + 1
        else:
            bare = re.compile(r"[\s>]").search(text, position)
            end = after = bare.start() if bare else -1
        self.value_begun = self.value_begun or end != position
        if end < 0:
            return len(text)
        self.where = Where.TAG
        return after


@functools.cache
def _inliner() -> css_inline.CSSInliner:
    # Media queries (dark mode, narrow screens) can't be inlined and are kept.
    return css_inline.CSSInliner(keep_at_rules=True, load_remote_stylesheets=False)


def inline_css(html: str) -> str:
    """The page with its rules in `style` attributes, at-rules kept in one `<style>`."""
    try:
        page = _inliner().inline(html)
    except css_inline.InlineError as error:
        raise TemplateError(Problem(f"the styles can't be used: {error}")) from error
    # The parser puts a <tbody> around rows, but not around a loop over rows; the tag
    # may always be left out.
    return re.sub(r"<tbody>|</tbody>", "", page)


def html_of_mjml(mjml: str, part: Part) -> str:
    """The inside of the page that MJML describes, its styles first.

    Nothing is included from files or addresses.
    """
    options = mrml.ParserOptions(include_loader=mrml.noop_loader())
    plain = mrml.RenderOptions(fonts={})
    try:
        page = mrml.to_html(mjml, parser_options=options, render_options=plain).content
    except OSError as error:
        raise TemplateError(_mjml_problem(error, mjml, part)) from error
    styles = re.findall(r"<style.*?</style>", page.partition("<body")[0], re.DOTALL)
    body = re.search(r"<body[^>]*>(.*)</body>", page, re.DOTALL)
    return "".join(styles) + (body.group(1) if body else "")


def _mjml_problem(error: OSError, mjml: str, part: Part) -> Problem:
    span = re.search(r"position (\d+):", str(error))
    line = mjml.count("\n", 0, int(span[1])) + 1 if span else None
    return Problem(f"not valid MJML: {error}", file=part.file, line=line)


def restore(html: str, tags: tuple[Tag, ...]) -> tuple[str, dict[int, tuple[str, int]]]:
    """The page with Jinja back in its places, and where its lines came from.

    Raises
    ------
    TemplateError : the HTML parser moved, doubled or lost a tag, as it does with text
        between table rows; it names the first such tag.
    """
    by_word = {tag.word: tag for tag in tags}
    longest_first = sorted(map(re.escape, by_word), key=len, reverse=True)
    words = "|".join(longest_first) or r"(?!)"
    _refuse_displaced(re.findall(words, html), tags)
    return _put_back(html, re.compile(f"<!--({words})-->|({words})"), by_word)


def _refuse_displaced(seen: list[str], tags: tuple[Tag, ...]) -> None:
    # Attributes may change their order and MJML repeats some; elements may not.
    fixed = {tag.word: tag for tag in tags if tag.where is Where.CONTENT}
    in_content = [word for word in seen if word in fixed]
    lost = [tag.word for tag in tags if tag.word not in seen]
    wanted = list(fixed)
    if in_content == wanted and not lost:
        return
    pairs = zip([*in_content, ""], wanted, strict=False)
    first = next((word for found, word in pairs if found != word), (lost or seen)[0])
    tag = next(tag for tag in tags if tag.word == first)
    raise TemplateError(_not_in_a_cell(tag.text, tag.place))


def _put_back(
    html: str, words: re.Pattern[str], by_word: dict[str, Tag]
) -> tuple[str, dict[int, tuple[str, int]]]:
    pieces: list[str] = []
    places: dict[int, tuple[str, int]] = {}
    line, position = 1, 0
    for found in words.finditer(html):
        tag = by_word[found[1] or found[2]]
        before = html[position : found.start()]
        line += before.count("\n")
        places.setdefault(line, tag.place)
        line += tag.text.count("\n")
        places.setdefault(line, tag.place)
        pieces += [before, tag.text]
        position = found.end()
    return "".join([*pieces, html[position:]]), places
