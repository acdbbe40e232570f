"""Pages of a long table; the place is in the address."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlencode

from fastapi import Request

SIZE = 50


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a table with `total` rows."""

    total: int
    number: int
    path: str
    query: tuple[tuple[str, str], ...]
    size: int = SIZE

    @property
    def offset(self) -> int:
        return (self.number - 1) * self.size

    @property
    def first(self) -> int:
        return min(self.offset + 1, self.total)

    @property
    def last(self) -> int:
        return min(self.offset + self.size, self.total)

    @property
    def previous(self) -> str | None:
        return self._address(self.number - 1) if self.number > 1 else None

    @property
    def next(self) -> str | None:
        return self._address(self.number + 1) if self.last < self.total else None

    def _address(self, number: int) -> str:
        return f"{self.path}?{urlencode([*self.query, ('page', str(number))])}"


def page_of(request: Request, number: int, total: int, size: int = SIZE) -> Page:
    """The page that this address asks for."""
    query = tuple(
        (name, value) for name, value in request.query_params.items() if name != "page"
    )
    return Page(total, number, request.url.path, query, size)


def with_query(request: Request, **changes: str) -> str:
    """The same address with other filters; an empty one is dropped."""
    values = dict(request.query_params) | changes
    kept = {name: value for name, value in values.items() if value and name != "page"}
    return f"{request.url.path}?{urlencode(kept)}" if kept else request.url.path
