"""What a browser sent in a form, as plain text with a limit on fields."""

from __future__ import annotations

from typing import Annotated

from fastapi import HTTPException, Request
from fastapi.responses import RedirectResponse
from pydantic import BeforeValidator
from starlette.datastructures import UploadFile

from core.model import CaseKind, Channel, DeliveryState

FIELDS_MOST = 30


def _chosen(value: object) -> object:
    """A filter set to "all" comes as an empty text."""
    return value or None


ChannelChoice = Annotated[Channel | None, BeforeValidator(_chosen)]
# Where customers came to us; that is by other ways, too, in imported conversations.
ContactChoice = Annotated[Channel | CaseKind | None, BeforeValidator(_chosen)]
StateChoice = Annotated[DeliveryState | None, BeforeValidator(_chosen)]


class Fields:
    """The text fields of one form; a missing field is an empty text."""

    def __init__(self, values: dict[str, str]) -> None:
        self._values = values

    def __getitem__(self, name: str) -> str:
        return self._values.get(name, "").strip()

    def secret(self, name: str) -> str:
        """A field whose spaces count."""
        return self._values.get(name, "")

    def names(self, prefix: str) -> frozenset[str]:
        """What follows the prefix in the names of the ticked fields."""
        return frozenset(
            name.removeprefix(prefix)
            for name in self._values
            if name.startswith(prefix)
        )

    def number(self, name: str) -> int:
        """A whole number, or the page for a bad request."""
        try:
            return int(self[name])
        except ValueError as error:
            raise HTTPException(422) from error


async def fields(request: Request) -> Fields:
    """The form of this request; files are not taken."""
    async with request.form(max_files=0, max_fields=FIELDS_MOST) as form:
        return Fields(
            {
                name: value
                for name, value in form.items()
                if not isinstance(value, UploadFile)
            }
        )


def local_path(wanted: str, otherwise: str = "/") -> str:
    """`wanted` if it stays on this host, so that no link can lead away."""
    if not wanted.startswith("/") or wanted.startswith(("//", "/\\")):
        return otherwise
    if any(character < " " or character == "\\" for character in wanted):
        return otherwise
    return wanted


def see(path: str) -> RedirectResponse:
    """Look at a page after a change, by GET."""
    return RedirectResponse(path, status_code=303)
