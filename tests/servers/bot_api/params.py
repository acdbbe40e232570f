"""The parameters of one call, from the query, a form, multipart or JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from aiohttp import web

from tests.servers.bot_api.answers import bad_request


@dataclass(frozen=True, slots=True)
class Params:
    """Values as sent: texts from forms, any JSON value from a JSON body."""

    values: dict[str, Any]

    def given(self, name: str) -> bool:
        return self.values.get(name) not in (None, "")

    def text(self, name: str) -> str:
        return str(self.values.get(name) or "")

    def integer(self, name: str, default: int = 0) -> int:
        if not self.given(name):
            return default
        try:
            return int(float(self.values[name]))
        except (TypeError, ValueError) as error:
            raise bad_request(f"{name} must be a number") from error

    def flag(self, name: str) -> bool:
        return str(self.values.get(name, "")).lower() in ("true", "1", "yes")

    def tree(self, name: str, default: Any = None) -> Any:
        """A structured value; forms carry it as JSON text."""
        if not self.given(name):
            return default
        value = self.values[name]
        if not isinstance(value, str):
            return value
        try:
            return json.loads(value)
        except json.JSONDecodeError as error:
            raise bad_request(f"can't parse {name} JSON object") from error


async def read_params(request: web.Request) -> Params:
    """All parameters of a request; those in the body stand above the query."""
    values: dict[str, Any] = dict(request.query)
    if request.content_type == "application/json":
        try:
            body = await request.json()
            values.update(body)
        except (ValueError, TypeError) as error:
            raise bad_request("can't parse request JSON object") from error
    elif request.can_read_body:
        values.update(await request.post())
    return Params(values)
