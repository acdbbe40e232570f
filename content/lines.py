"""The physical lines of a text, none of which fills the memory."""

from __future__ import annotations

import io
from collections import deque
from collections.abc import Iterator

# In characters; whole books fit into it.
LINE_MAX = 1 << 20
# So much of a longer line is kept, to show a person which one it is.
SHOWN = 200


class CutLine(str):
    """The beginning of a line that is too long; `length` counts all of it."""

    __slots__ = ("length",)

    def __new__(cls, beginning: str, length: int) -> CutLine:
        line = super().__new__(cls, beginning)
        line.length = length
        return line

    length: int


class LineTooLong(Exception):
    """A line of more than `LINE_MAX` characters was passed over."""

    def __init__(self, line: CutLine) -> None:
        self.line = line
        super().__init__(f"{line.length} characters")


class Lines(Iterator[str]):
    """Lines one by one; `taken` holds those that came since it was last cleared."""

    def __init__(self, text: io.TextIOWrapper, taken_max: int | None = None) -> None:
        self._text = text
        self._taken_max = taken_max or LINE_MAX
        self._waiting: deque[str] = deque()
        self._ahead = ""
        self.taken: list[str] = []
        self._characters = 0

    def __next__(self) -> str:
        line = self._next()
        if not line:
            raise StopIteration
        self.taken.append(line)
        self._characters += len(line)
        if isinstance(line, CutLine):
            raise LineTooLong(line)
        if self._characters > self._taken_max and len(self.taken) > 1:
            raise LineTooLong(CutLine(self.taken[0][:SHOWN], self._characters))
        return line

    def forget(self) -> None:
        """Begin a new row."""
        self.taken.clear()
        self._characters = 0

    def put_back(self, count: int) -> list[str]:
        """Keep the first `count` of the lines taken; the others come again."""
        kept, again = self.taken[:count], self.taken[count:]
        self._waiting.extendleft(reversed(again))
        return kept

    def skip(self, count: int) -> None:
        for _ in range(count):
            if not self._next():
                return

    def _next(self) -> str:
        return self._waiting.popleft() if self._waiting else self._read()

    def _read(self) -> str:
        piece = line = self._piece()
        length = len(piece)
        while len(piece) == LINE_MAX and not piece.endswith("\n"):
            following = self._piece()
            if piece.endswith("\r") and following != "\n":
                self._ahead = following
                break
            piece = following
            length += len(piece)
        if length <= LINE_MAX:
            return line
        return CutLine(line[:SHOWN], length)

    def _piece(self) -> str:
        ahead, self._ahead = self._ahead, ""
        return ahead or self._text.readline(LINE_MAX)
