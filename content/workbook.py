"""The parts of an .xlsx file: checked before they are unpacked, read as a stream.

The zip's directory alone tells whether a workbook would grow beyond all measure;
`zipfile` never unpacks more of a part than the directory says. Parts are parsed
piece by piece, and what was read is forgotten, so that the memory stays flat.
"""

from __future__ import annotations

import posixpath
import re
import struct
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from content.raw_file import RawFile
from core.errors import did_you_mean

# Excel's own limits make files of some 100 MB at most.
FILE_MAX = 200 << 20
UNPACKED_MAX = 2 << 30
# Sheets shrink to a tenth or twentieth; a bomb to a thousandth.
RATIO_MAX = 150
RATIO_FROM = 20 << 20
PARTS_MAX = 10_000
DIRECTORY_MAX = 2 << 20
# Kept in memory as long as the workbook is open.
STRINGS_MAX = 128 << 20
# Styles and lists of parts.
SMALL_MAX = 16 << 20
ROW_MAX = 16 << 20

READ_BYTES = 1 << 16
_END = struct.Struct("<4s4H2LH")
_ESCAPE = re.compile(r"_x([0-9A-Fa-f]{4})_")

# What zipfile and the parser raise where a workbook is damaged.
DAMAGE = (
    zipfile.BadZipFile,
    zlib.error,
    ParseError,
    EOFError,
    OSError,
    NotImplementedError,
    RuntimeError,
    ValueError,
    LookupError,
    struct.error,
    OverflowError,
)


@dataclass(frozen=True, slots=True)
class Styles:
    """Which styles of cells show their number as a moment, and as a span of time."""

    moments: frozenset[int] = frozenset()
    spans: frozenset[int] = frozenset()


class _Forgetful:
    """A parser that keeps only what stands within an element that is wanted."""

    def __init__(self, wanted: str) -> None:
        self._parser: XMLPullParser[Any] = XMLPullParser(("start", "end"))
        self._wanted = wanted
        self._path: list[Element] = []
        # How deep the wanted element stands that is open.
        self._within: int | None = None
        self.begun = False

    def feed(self, block: bytes) -> Iterator[Element | None]:
        """Each wanted element; None for one that was passed over."""
        self._parser.feed(block)
        events: Iterator[Any] = self._parser.read_events()
        for kind, element in events:
            if kind == "start":
                self.begun = True
                self._path.append(element)
                if self._within is None and local(element) == self._wanted:
                    self._within = len(self._path)
                continue
            depth = len(self._path)
            self._path.pop()
            if self._within is not None and depth > self._within:
                continue
            yield element if depth == self._within else None
            self._within = None
            # What is done would stay in its parent for good.
            if self._path:
                self._path[-1].clear()

    def close(self) -> None:
        self._parser.close()


def _has_document_type(block: bytes) -> bool:
    plain = block.replace(b"\0", b"")
    return b"<!DOCTYPE" in plain or b"<!ENTITY" in plain


@dataclass(frozen=True, slots=True)
class Sheet:
    name: str
    part: str


@dataclass(slots=True)
class Workbook:
    """What is needed to read the sheets."""

    sheets: list[Sheet] = field(default_factory=list)
    strings: list[str] = field(default_factory=list)
    styles: Styles = field(default_factory=Styles)
    # Days count from 1904 in workbooks of old Macs.
    is_1904: bool = False


class Parts:
    """The zip's parts, each within its limit."""

    def __init__(self, raw: RawFile) -> None:
        self._raw = raw
        self._check_directory()
        self._zip = zipfile.ZipFile(raw.bytes)
        self._check_sizes()
        self._names = {
            info.filename.replace("\\", "/").lstrip("/").casefold(): info
            for info in self._zip.infolist()
        }

    def __contains__(self, name: str) -> bool:
        return name.casefold() in self._names

    def elements(
        self, name: str, wanted: str, limit: int = SMALL_MAX
    ) -> Iterator[Element]:
        """Each `wanted` element of a part, whatever its namespace; then forgotten.

        Raises
        ------
        DataError : the part has a document type, or one element passes `limit`
        """
        forgetful = _Forgetful(wanted)
        waiting = 0
        with self._zip.open(self._names[name.casefold()]) as part:
            while block := part.read(READ_BYTES):
                # Entities are declared there, and no program that writes sheets does.
                if not forgetful.begun and _has_document_type(block):
                    raise self._raw.problem("a workbook without a document type", name)
                waiting += len(block)
                for element in forgetful.feed(block):
                    if element is not None:
                        yield element
                    waiting = 0
                if waiting > limit:
                    hint = "Save the sheet alone as a new workbook or as CSV."
                    raise self._raw.problem(
                        "a part of the workbook is too long", name, hint=hint
                    )
        forgetful.close()

    def _check_directory(self) -> None:
        """The list of parts itself must not fill the memory."""
        if self._raw.size > FILE_MAX:
            raise self._too_large(f"{self._raw.size:,} bytes on disk")
        handle = self._raw.bytes
        handle.seek(max(0, self._raw.size - (1 << 16) - _END.size))
        tail = handle.read()
        place = tail.rfind(b"PK\x05\x06")
        if place < 0 or len(tail) - place < _END.size:
            hint = "Was it copied or written to its end? Get it again."
            raise self._raw.problem("the workbook is not whole", hint=hint)
        found = _END.unpack_from(tail, place)
        if found[4] > PARTS_MAX or found[5] > DIRECTORY_MAX:
            raise self._too_large(f"{found[4]:,} parts")

    def _check_sizes(self) -> None:
        infos = self._zip.infolist()
        if len(infos) > PARTS_MAX:
            raise self._too_large(f"{len(infos):,} parts")
        if any(info.flag_bits & 1 for info in infos):
            raise self._raw.problem("the workbook is locked by a password")
        total = sum(info.file_size for info in infos)
        packed = max(1, self._raw.size)
        if total > UNPACKED_MAX or total > max(RATIO_FROM, RATIO_MAX * packed):
            raise self._too_large(f"{packed:,} bytes would become {total:,}")
        for info in infos:
            name = info.filename
            is_strings = name.casefold().endswith("sharedstrings.xml")
            limit = STRINGS_MAX if is_strings else UNPACKED_MAX
            if info.file_size > limit:
                raise self._too_large(f"{name}: {info.file_size:,} bytes")

    def _too_large(self, value: str) -> Exception:
        hint = "Nothing was unpacked. If it is yours: save the sheet as CSV."
        return self._raw.problem(
            "the workbook is too large to be read safely", value, hint=hint
        )


def read_workbook(parts: Parts, raw: RawFile) -> Workbook:
    """Sheets, shared words and styles.

    Raises
    ------
    DataError : it is some other zip file
    """
    main = _main_part(parts)
    if main is None:
        hint = "Unpack it, and import the files in it; save .ods as .xlsx."
        raise raw.problem("a zip file, and no workbook", hint=hint)
    found = Workbook()
    links = _links(parts, main)
    for element in _small(parts, main, ("sheet", "workbookPr")):
        if local(element) == "workbookPr":
            found.is_1904 = element.get("date1904") in {"1", "true"}
            continue
        link = next((v for k, v in element.items() if k.endswith("}id")), "")
        kind, part = links.get(link, ("", ""))
        if kind == "worksheet" and part in parts:
            found.sheets.append(Sheet(element.get("name", ""), part))
    for kind, part in links.values():
        if kind == "sharedStrings" and part in parts:
            found.strings = [text_of(item) for item in parts.elements(part, "si")]
        if kind == "styles" and part in parts:
            found.styles = _styles(parts, part)
    return found


def find_sheet(workbook: Workbook, name: str | None, raw: RawFile) -> Sheet:
    """The sheet of this name; the first, where none is given.

    Raises
    ------
    DataError : there is none, with the nearest name
    """
    names = [sheet.name for sheet in workbook.sheets]
    if not names:
        raise raw.problem("a workbook without a sheet")
    if name is None:
        return workbook.sheets[0]
    if name not in names:
        hint = f"{did_you_mean(name, names) or ''} There are: {', '.join(names)}."
        raise raw.problem("no such sheet", name, hint=hint.strip())
    return workbook.sheets[names.index(name)]


def local(element: Element) -> str:
    """The tag without its namespace: the strict form of the format has another."""
    return element.tag.rpartition("}")[2]


def text_of(item: Element) -> str:
    """The words of a shared or inline string, without the reading signs beside it."""
    found: list[str] = []
    for child in item:
        if local(child) == "t":
            found.append(child.text or "")
        elif local(child) == "r":
            found += [part.text or "" for part in child if local(part) == "t"]
    text = "".join(found)
    if "_x" in text:
        text = _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
    return text


def _main_part(parts: Parts) -> str | None:
    for kind, target in _links(parts, "").values():
        if kind == "officeDocument" and target in parts:
            return target
    return "xl/workbook.xml" if "xl/workbook.xml" in parts else None


def _links(parts: Parts, part: str) -> dict[str, tuple[str, str]]:
    """What a part points at: id to kind and name."""
    folder, name = posixpath.split(part)
    links = posixpath.join(folder, "_rels", f"{name}.rels")
    found: dict[str, tuple[str, str]] = {}
    if links not in parts:
        return found
    for element in parts.elements(links, "Relationship"):
        kind = element.get("Type", "").rpartition("/")[2]
        target = posixpath.join("/", folder, element.get("Target", ""))
        name = posixpath.normpath(target).lstrip("/")
        found[element.get("Id", "")] = kind, name
    return found


def _small(parts: Parts, part: str, tags: tuple[str, ...]) -> Iterator[Element]:
    for tag in tags:
        yield from parts.elements(part, tag)


def _styles(parts: Parts, part: str) -> Styles:
    from openpyxl.styles.numbers import (  # noqa: PLC0415  heavy, and only workbooks need it
        BUILTIN_FORMATS,
        is_date_format,
        is_timedelta_format,
    )

    codes = dict(BUILTIN_FORMATS)
    for element in parts.elements(part, "numFmt"):
        codes[int(element.get("numFmtId", "0"))] = element.get("formatCode", "")
    moments, spans = set(), set()
    for formats in parts.elements(part, "cellXfs"):
        for place, style in enumerate(formats):
            code = codes.get(int(style.get("numFmtId", "0")), "General")
            if is_date_format(code):
                moments.add(place)
            if is_timedelta_format(code):
                spans.add(place)
    return Styles(frozenset(moments), frozenset(spans))
