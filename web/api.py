"""`/api/v1`: records that other programs send, in batches, each exactly once."""

from __future__ import annotations

import hashlib
import json
import re
import uuid
from dataclasses import dataclass, field
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Depends, Request
from fastapi.responses import JSONResponse
from pydantic import ValidationError

from core.errors import LeaseLost, RapportError
from core.model import Actor, ActorKind
from core.records import RecordKind
from storage import api_keys
from storage.api_keys import Answer, ApiKey
from web.access import PUBLIC, KeyNeeded, services
from web.api_records import RECORDS, RECORDS_MAX
from web.api_schema import PROBLEM, describe

_IDEMPOTENCY_KEY = re.compile(r"[\x21-\x7e]{1,128}")

router = APIRouter(prefix="/api/v1")


@dataclass(frozen=True, slots=True)
class Refused:
    """A record that was left out: its place in the batch, from 0, and why."""

    index: int
    field: str
    value: str
    reason: str


@dataclass(frozen=True, slots=True)
class Row:
    """One row that a record came to, with the record's place in the batch."""

    index: int
    cells: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Received:
    """What became of the rows of one request."""

    import_id: int
    refused: list[Refused] = field(default_factory=list)


class Receiver(Protocol):
    """Takes rows into a source; `identity` makes a repeated call the same one."""

    async def __call__(
        self, key: ApiKey, kind: RecordKind, rows: list[Row], identity: str
    ) -> Received: ...


class ApiProblem(Exception):
    """A request that can't be answered as asked."""

    def __init__(self, status: int, title: str, detail: str = "") -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.detail = detail


async def key_of(request: Request) -> ApiKey:
    """The key that the request shows."""
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    found = None
    if scheme.lower() == "bearer" and secret:
        found = await services(request).database.read(
            lambda c: api_keys.holder(c, secret.strip())
        )
    if found is None:
        detail = "Send Authorization: Bearer KEY; `rapport api-key add` makes a key."
        raise ApiProblem(401, "A valid key is needed", detail)
    return found


Key = Annotated[ApiKey, Depends(KeyNeeded(key_of))]


@router.get("/openapi.json", dependencies=[PUBLIC])
async def openapi(_: Request) -> JSONResponse:
    """The description that tools read."""
    return JSONResponse(describe(router))


async def receive(request: Request, key: Key) -> JSONResponse:
    """Take a batch: what can be taken is, the rest is named with its reasons."""
    kind = RecordKind(request.url.path.rpartition("/")[2])
    if kind not in key.kinds:
        raise ApiProblem(
            403, "The key may not send this", f"It may: {', '.join(key.kinds)}."
        )
    body = await request.body()
    given = request.headers.get("idempotency-key")
    identity = given or uuid.uuid4().hex
    if not _IDEMPOTENCY_KEY.fullmatch(identity):
        detail = "1 to 128 visible ASCII characters, like a UUID."
        raise ApiProblem(400, "The idempotency key is of the wrong form", detail)
    body_hash = hashlib.sha256(kind.encode() + b"\0" + body).hexdigest()
    if given and (before := await _answered(request, key, given)):
        if before.body_hash != body_hash:
            detail = "A repeated request must be the same; else take another key."
            raise ApiProblem(422, "The idempotency key was used before", detail)
        return _json(before, replayed=True)
    answer = Answer(body_hash, 200, await _take(request, key, kind, body, identity))
    await _keep(request, key, identity, answer)
    return _json(answer)


for _kind in RECORDS:
    router.add_api_route(
        f"/{_kind}",
        receive,
        methods=["POST"],
        name=f"send {_kind}",
        summary=f"Send {_kind.replace('_', ' ')}",
        operation_id=f"send_{_kind}",
    )


async def _take(
    request: Request, key: ApiKey, kind: RecordKind, body: bytes, identity: str
) -> dict[str, Any]:
    records = _records(body)
    rows, refused = _checked(kind, records)
    import_id = None
    if rows:
        receiver = services(request).receiver
        if receiver is None:
            raise ApiProblem(503, "This process takes no records")
        try:
            received = await receiver(key, kind, rows, identity)
        except LeaseLost as error:
            detail = "Ask again in a moment, with the same idempotency key."
            raise ApiProblem(
                409, "The same request is being taken now", detail
            ) from error
        except RapportError as error:
            raise ApiProblem(400, "The records can't be taken", str(error)) from error
        import_id = received.import_id
        refused = sorted([*refused, *received.refused], key=lambda each: each.index)
    left_out = len({each.index for each in refused})
    return {
        "import_id": import_id,
        "records": len(records),
        "accepted": len(records) - left_out,
        "rejected": [
            {
                "index": each.index,
                "field": each.field,
                "value": each.value,
                "reason": each.reason,
            }
            for each in refused
        ],
    }


def _records(body: bytes) -> list[Any]:
    try:
        batch = json.loads(body, parse_constant=_refuse)
    except (ValueError, RecursionError) as error:
        raise ApiProblem(400, "Not JSON", str(error)) from error
    if not isinstance(batch, dict) or set(batch) != {"records"}:
        raise ApiProblem(400, 'Expected is {"records": [...]}')
    records = batch["records"]
    if not isinstance(records, list) or not 1 <= len(records) <= RECORDS_MAX:
        raise ApiProblem(400, f"A batch holds 1 to {RECORDS_MAX} records")
    return records


def _checked(kind: RecordKind, records: list[Any]) -> tuple[list[Row], list[Refused]]:
    """Rows of the records that have the right form, and what is wrong with others."""
    rows: list[Row] = []
    refused: list[Refused] = []
    for index, each in enumerate(records):
        try:
            record = RECORDS[kind].model_validate(each)
        except ValidationError as error:
            refused += [
                Refused(
                    index,
                    ".".join(str(part) for part in detail["loc"]),
                    str(detail.get("input"))[:200],
                    detail["msg"],
                )
                for detail in error.errors(include_url=False, include_context=False)
            ]
        else:
            rows += [Row(index, cells) for cells in record.rows()]
    return rows, refused


def _refuse(word: str) -> Any:
    message = f"{word} is no JSON"
    raise ValueError(message)


async def _answered(request: Request, key: ApiKey, given: str) -> Answer | None:
    service = services(request)
    now = service.clock.now()
    return await service.database.read(lambda c: api_keys.answer_to(c, key, given, now))


async def _keep(request: Request, key: ApiKey, identity: str, answer: Answer) -> None:
    service = services(request)
    now = service.clock.now()
    await service.database.write(
        Actor(ActorKind.SYSTEM, f"api-key-{key.id}"),
        lambda c: api_keys.keep_answer(c, key, identity, answer, now),
    )


def _json(answer: Answer, *, replayed: bool = False) -> JSONResponse:
    headers = {"Idempotent-Replayed": "true"} if replayed else None
    return JSONResponse(answer.content, answer.status, headers=headers)


def answer_problem(_: Request, error: Exception) -> JSONResponse:
    """RFC 9457: a problem as JSON."""
    status, title, detail = 500, "Something went wrong here", ""
    if isinstance(error, ApiProblem):
        status, title, detail = error.status, error.title, error.detail
    content = {"status": status, "title": title, "detail": detail}
    headers = {"WWW-Authenticate": "Bearer"} if status == 401 else None
    return JSONResponse(content, status, headers, PROBLEM)
