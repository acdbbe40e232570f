"""A bounded look at a file: its encoding, its separator, and rows of all parts of it.

Only some places of a text file are read (the head, a few in the middle, the tail), so
that a large file is looked at as fast as a small one.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO

from content.columns import is_complete
from content.mapping import DELIMITERS, WHITESPACE, FileMapping
from content.raw_file import DAMAGE, RawFile
from content.table import HEADER_LINES, JSON_SUFFIXES, open_table

HEAD_BYTES = 1 << 18
PART_BYTES = 1 << 16
PARTS = 6
# Of a compressed file, which can only be read from its begin.
UNPACKED_BYTES = 1 << 25
# Of a workbook or another file that is no text.
ROWS_LOOKED_AT = 20_000
ROWS_KEPT = 4_000
CHUNK_ROWS = 1_000
# To tell delimiters apart.
ROWS_COMPARED = 200
# A row of a million cells is no header, and would be counted once per delimiter.
LINE_MAX = 100_000

# How many of the lines with more than plain letters must be UTF-8, if not all are.
NEARLY_ALL = 0.9
# Of the letters beyond ASCII, how many must be common ones of a script.
MOSTLY = 0.7
EXAMPLE_LETTERS = 24

BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Workbooks and Parquet.
NO_TEXT = (b"PK\x03\x04", b"PAR1")
_JSON = re.compile(rb'\s*(\{\s*["}]|\[\s*[{\]])')
_WORDS = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that a file told of itself, and why it is believed."""

    what: str
    value: str
    reason: str
    sure: bool = True


@dataclass(frozen=True, slots=True)
class Part:
    """Bytes of a file; the first of them stand at its begin."""

    data: bytes
    is_head: bool
    is_end: bool


@dataclass(frozen=True, slots=True)
class Sample:
    """Header and some rows of a file; typed cells come as words if it is no text."""

    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    is_text: bool

    def words(self, column: str) -> list[str]:
        """What stands in a column, without blanks around it; nothing if it has none."""
        if column not in self.header:
            return []
        place = self.header.index(column)
        return [row[place] for row in self.rows]


def parts_of(path: Path, name: str) -> list[Part]:
    """The places of a file that are looked at.

    Raises
    ------
    DataError : the file can't be read, is empty, or damaged
    """
    raw = RawFile(path, name)
    try:
        if raw.is_gzip:
            return list(_parts_in_order(raw.plain()))
        return list(_parts_by_place(raw.plain(), raw.size))
    except DAMAGE as error:
        raise raw.damaged(error) from error
    finally:
        raw.close()


def is_text(path: Path, head: bytes) -> bool:
    """Whether these are the first bytes of separated text, and no other format."""
    inner = path.with_suffix("") if path.suffix == ".gz" else path
    if head.startswith(NO_TEXT) or inner.suffix.lower() in JSON_SUFFIXES:
        return False
    return _JSON.match(head.removeprefix(codecs.BOM_UTF8)) is None


def _parts_by_place(file: IO[bytes], size: int) -> Iterator[Part]:
    yield Part(file.read(HEAD_BYTES), is_head=True, is_end=size <= HEAD_BYTES)
    rest = size - HEAD_BYTES
    if rest <= 0:
        return
    if rest <= PARTS * PART_BYTES:
        yield Part(file.read(rest), is_head=False, is_end=True)
        return
    # From the head's end to the tail's begin, none over another.
    step = (rest - PART_BYTES) // (PARTS - 1)
    for number in range(PARTS):
        place = HEAD_BYTES + number * step
        # Even places, so that letters of two bytes stay whole.
        file.seek(place - place % 2)
        data = file.read() if number == PARTS - 1 else file.read(PART_BYTES)
        yield Part(data, is_head=False, is_end=number == PARTS - 1)


def _parts_in_order(file: gzip.GzipFile) -> Iterator[Part]:
    head = file.read(HEAD_BYTES)
    ended = len(head) < HEAD_BYTES
    yield Part(head, is_head=True, is_end=ended)
    step = UNPACKED_BYTES // PARTS
    for _ in range(PARTS):
        if ended:
            return
        data = file.read(step)
        ended = len(data) < step
        if data:
            yield Part(data[-PART_BYTES:], is_head=False, is_end=ended)


# --- encoding -------------------------------------------------------------------------


def encoding_of(parts: list[Part]) -> Finding:
    """The encoding that makes the most likely text of these bytes."""
    head = parts[0].data
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return Finding("encoding", encoding, "a byte-order mark stands first")
    by_zeros = _utf_16(head)
    if by_zeros:
        return Finding("encoding", by_zeros, "every other byte is zero")
    lines = [line for part in parts for line in _whole_lines(part) if _is_beyond(line)]
    if not lines:
        return Finding("encoding", "utf-8-sig", "plain letters only")
    wrong = sum(not _decodes(line, "utf-8") for line in lines)
    if not wrong:
        return Finding("encoding", "utf-8-sig", "all that was looked at is UTF-8")
    if wrong <= len(lines) * (1 - NEARLY_ALL):
        reason = f"all but {wrong} of {len(lines)} lines with accents are UTF-8"
        return Finding("encoding", "utf-8-sig", reason, sure=False)
    return _by_look(lines)


def _utf_16(head: bytes) -> str | None:
    even, odd = head[0::2].count(0), head[1::2].count(0)
    least = max(1, len(head) // 8)
    if odd >= least and not even:
        return "utf-16-le"
    if even >= least and not odd:
        return "utf-16-be"
    return None


def _by_look(lines: list[bytes]) -> Finding:
    """What no UTF-8 is, by how common the letters are that come out."""
    scored = [
        (_gb_share(lines), "gb18030", "common Chinese characters come out"),
        (_big5_share(lines), "big5", "common Chinese characters come out"),
        (_cyrillic_share(lines), "cp1251", "Cyrillic words come out"),
    ]
    share, encoding, reason = max(scored)
    if share < MOSTLY:
        encoding = "cp1252" if _decodes(b"\n".join(lines), "cp1252") else "latin-1"
        reason = "no UTF-8, and accents stand alone between plain letters"
    example = _example(lines, encoding)
    return Finding("encoding", encoding, f"{reason}: {example}", sure=share >= MOSTLY)


def _gb_share(lines: list[bytes]) -> float:
    """How much of what is beyond ASCII are the 3,755 first characters of GB 2312."""
    return _pair_share(lines, "gb18030", "gb2312", range(0xB0, 0xD8))


def _big5_share(lines: list[bytes]) -> float:
    return _pair_share(lines, "big5", "big5", range(0xA4, 0xC7))


def _pair_share(lines: list[bytes], encoding: str, table: str, first: range) -> float:
    common = total = 0
    for line in lines:
        try:
            text = line.decode(encoding)
        except UnicodeDecodeError:
            return 0.0
        for letter in text:
            if letter.isascii():
                continue
            total += 1
            pair = letter.encode(table, errors="ignore")
            is_mark = 0x3000 <= ord(letter) <= 0x303F or ord(letter) >= 0xFF00
            common += is_mark or (len(pair) > 1 and pair[0] in first)
    return common / total if total else 0.0


def _cyrillic_share(lines: list[bytes]) -> float:
    """How many words beyond ASCII are Cyrillic from end to end."""
    words = [
        word
        for line in lines
        for word in _WORDS.findall(line.decode("cp1251", errors="replace"))
        if not word.isascii()
    ]
    whole = sum(
        len(word) > 1 and all("\u0400" <= letter <= "\u04ff" for letter in word)
        for word in words
    )
    return whole / len(words) if words else 0.0


def _example(lines: list[bytes], encoding: str) -> str:
    for line in lines:
        text = line.decode(encoding, errors="replace")
        for word in _WORDS.findall(text):
            if not word.isascii():
                return f"“{word[:EXAMPLE_LETTERS]}”"
    return "no example"


def _whole_lines(part: Part) -> list[bytes]:
    lines = part.data.split(b"\n")
    first = 0 if part.is_head else 1
    return lines[first:] if part.is_end else lines[first:-1] or lines[first:]


def _is_beyond(line: bytes) -> bool:
    return not line.isascii()


def _decodes(data: bytes, encoding: str) -> bool:
    try:
        data.decode(encoding)
    except UnicodeDecodeError:
        return False
    return True


# --- rows -----------------------------------------------------------------------------


def text_of(parts: list[Part], encoding: str) -> list[list[str]]:
    """The whole lines of each part."""
    return [_lines_of(part, encoding) for part in parts]


def _lines_of(part: Part, encoding: str) -> list[str]:
    if encoding == "utf-16" and not part.is_head:
        encoding = "utf-16-le"
    text = part.data.decode(encoding, errors="replace").removeprefix("\ufeff")
    # Ends of lines as the reader of the file knows them; `splitlines` knows more.
    lines = list(io.StringIO(text, newline=""))
    if not part.is_head:
        lines = lines[1:]
    if not part.is_end and len(lines) > 1:
        lines = lines[:-1]
    return [line for line in lines if len(line) <= LINE_MAX]


def delimiter_of(lines: list[str], wanted: Iterable[str] = ()) -> Finding:
    """The delimiter that finds most of the wanted columns; then, the most even rows."""
    names = set(wanted)
    scored = []
    for word, sign in DELIMITERS.items():
        rows = [row for row in islice(parsed(lines, sign), ROWS_COMPARED) if any(row)]
        if not rows:
            continue
        width, count = Counter(map(len, rows)).most_common(1)[0]
        found = max(len(names & {*row}) for row in rows[:HEADER_LINES])
        scored.append((found, width > 1, round(count / len(rows), 2), width, word))
    if not scored:
        return Finding("separator", "comma", "the file is empty", sure=False)
    _, is_table, even, width, word = max(scored)
    if not is_table:
        return Finding("separator", "comma", "there is one column only", sure=False)
    reason = f"{width} columns in {even:.0%} of the rows looked at"
    return Finding("separator", word, reason, sure=even >= NEARLY_ALL)


def rows_of(texts: list[list[str]], delimiter: str, mapping: FileMapping) -> Sample:
    """Header and rows that have as many cells as it."""
    first = [row for row in parsed(texts[0], delimiter) if any(row)]
    header = list(mapping.header)
    if not header:
        place = _header_place(first, mapping)
        header, first = first[place] if first else [], first[place + 1 :]
    rows = [tuple(row) for row in first if len(row) == len(header)]
    for lines in texts[1:]:
        rows += [tuple(r) for r in parsed(lines, delimiter) if len(r) == len(header)]
    return Sample(tuple(header), tuple(rows), is_text=True)


def _header_place(rows: list[list[str]], mapping: FileMapping) -> int:
    """Which row is the header: titles may stand above it."""
    heads = rows[:HEADER_LINES]
    if mapping.columns:
        fitting = (n for n, row in enumerate(heads) if is_complete(row, mapping))
        return next(fitting, 0)
    width = Counter(map(len, rows)).most_common(1)[0][0] if rows else 0
    return next((n for n, row in enumerate(heads) if len(row) == width), 0)


def parsed(lines: list[str], delimiter: str) -> Iterator[list[str]]:
    """Rows of words without blanks around them; a broken one is left out."""
    if delimiter == WHITESPACE:
        yield from (line.split() for line in lines)
        return
    reader = csv.reader(lines, delimiter=delimiter, skipinitialspace=True)
    while True:
        try:
            row = next(reader)
        except StopIteration:
            return
        except csv.Error:
            continue
        yield [cell.strip() for cell in row]


def rows_of_table(path: Path, mapping: FileMapping, name: str) -> Sample:
    """Header and rows of a file that is no text, from its first rows on."""
    rows: list[tuple[str, ...]] = []
    seen = 0
    with open_table(path, mapping, name) as table:
        width = len(table.header)
        for chunk in table.chunks(0, CHUNK_ROWS):
            seen += len(chunk.rows)
            fitting = [
                tuple(cell.strip() for cell in row[:width])
                for row in chunk.rows
                if len(row) == table.width
            ]
            rows += fitting if len(rows) < ROWS_KEPT else fitting[::10]
            if seen >= ROWS_LOOKED_AT:
                break
    return Sample(tuple(table.header), tuple(rows), is_text=False)
