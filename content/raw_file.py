"""A file as it lies on the disk: opened once, unpacked, and watched for changes."""

from __future__ import annotations

import codecs
import gzip
import io
import os
import stat
import zlib
from pathlib import Path
from typing import IO, Any

from core.errors import DataError, Problem

HEAD_BYTES = 4096
GZIP = b"\x1f\x8b"
# What reading a file that is not whole raises.
DAMAGE = (EOFError, gzip.BadGzipFile, zlib.error, OSError)
# The longer marks first: that of UTF-16 begins that of UTF-32.
_MARKS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
# Bytes that are no text become half of a pair, which no text holds. Python's own
# `surrogateescape` does so for bytes from 128 on alone, and gives up in UTF-16.
MARKING = "rapport-mark"
MARK = "\udcff"


def _mark(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return MARK, error.end


codecs.register_error(MARKING, _mark)


class RawFile:
    """One open file; `name` is what a person calls it."""

    def __init__(self, path: Path, name: str = "") -> None:
        self.path = path
        self.name = name or path.name
        try:
            # Opening a pipe would wait for somebody to write into it.
            if not stat.S_ISREG(path.stat().st_mode):
                what = "a folder" if path.is_dir() else "a device or pipe"
                raise DataError(Problem("a file is expected", what, file=self.name))
            self.bytes: IO[bytes] = path.open("rb")
        except (OSError, ValueError) as error:
            reason = getattr(error, "strerror", None) or str(error)
            raise DataError(
                Problem("the file can't be read", reason, file=self.name)
            ) from error
        self.size, self._changed_at = self._stamp()
        self.is_gzip = self.bytes.read(len(GZIP)) == GZIP

    def plain(self) -> Any:
        """The bytes from the beginning, unpacked where they are compressed."""
        self.bytes.seek(0)
        return gzip.GzipFile(fileobj=self.bytes) if self.is_gzip else self.bytes

    def stream(self) -> io.BufferedReader:
        """`plain` for a reader that closes what it reads from."""
        return io.BufferedReader(Shared(self.plain()))

    def head(self) -> bytes:
        """The first bytes, unpacked.

        Raises
        ------
        DataError : the file is empty, or compressed and damaged
        """
        try:
            found: bytes = self.plain().read(HEAD_BYTES)
        except DAMAGE as error:
            raise self.damaged(error) from error
        if not found:
            raise self.problem("the file is empty")
        return found

    def check_unchanged(self) -> None:
        """Nobody wrote into the file since it was opened.

        Raises
        ------
        DataError : somebody did
        """
        if self._stamp() != (self.size, self._changed_at):
            raise self.problem(
                "the file changed while it was read",
                hint="Import it again when its writer is done.",
            )

    def problem(
        self,
        expected: str,
        value: str | None = None,
        line: int | None = None,
        hint: str | None = None,
    ) -> DataError:
        return DataError(Problem(expected, value, self.name, line, hint=hint))

    def damaged(self, error: BaseException) -> DataError:
        what = "the compressed file" if self.is_gzip else "the file"
        hint = "Was it copied or written to its end? Get it again."
        return self.problem(f"{what} is damaged", str(error), hint=hint)

    def close(self) -> None:
        self.bytes.close()

    def _stamp(self) -> tuple[int, int]:
        found = os.fstat(self.bytes.fileno())
        return found.st_size, found.st_mtime_ns


class Shared(io.RawIOBase):
    """Passes bytes through; closing it leaves open what it reads from."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        count: int = self._inner.readinto(buffer)
        return count


def encoding_of(head: bytes, encoding: str) -> str:
    """The encoding that the first bytes announce; else the one that is given."""
    return next((name for mark, name in _MARKS if head.startswith(mark)), encoding)


def text_of(binary: Any, encoding: str) -> io.TextIOWrapper:
    """Text whose line breaks are kept, and whose broken parts are `MARK`."""
    return io.TextIOWrapper(binary, encoding=encoding, errors=MARKING, newline="")


def unusable(words: list[str], cell_max: int) -> str:
    """Why a row's words can't be stored as text; empty where they can."""
    joined = "".join(words)
    if "\0" in joined:
        return "nul_byte"
    if not joined.isascii():
        try:
            joined.encode()
        except UnicodeEncodeError:
            return "broken_encoding"
    if len(joined) > cell_max and max(map(len, words)) > cell_max:
        return "cell_too_long"
    return ""
