"""Other programs send records: what is right is taken once, the rest is named."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import func, select

from app.receiving import RecordReceiver
from app.wiring import Program, anchored, open_program
from core.clock import SystemClock
from core.model import system
from core.records import RecordKind
from core.settings import load_settings
from storage import api_keys, ingest, schema
from tests.web.site import running
from web.api_records import RECORDS

TEST = system("test")
ANN = {"id": "ann", "name": "Ann Summer", "email": "ann@shop.example"}
ORDER = {
    "order": "1001",
    "ordered_at": "2026-03-01T10:00:00Z",
    "customer": "ann",
    "currency": "EUR",
    "lines": [
        {"product": "TEA", "product_name": "Green tea", "quantity": 2, "amount": 9.8},
        {"amount": "4.90"},
    ],
}
SAMPLES: dict[RecordKind, dict[str, Any]] = {
    RecordKind.CUSTOMERS: ANN,
    RecordKind.PRODUCTS: {"id": "TEA", "name": "Green tea", "price": "4.90"},
    RecordKind.ORDERS: ORDER,
    RecordKind.EVENTS: {"customer": "ann", "event": "visit", "at": "2026-03-01"},
    RecordKind.FEEDBACK: {
        "customer": "ann",
        "answered_at": "2026-03-01T11:00:00Z",
        "score": 4,
    },
    RecordKind.CONVERSATIONS: {
        "id": "t1",
        "kind": "call",
        "opened_at": "2026-03-01T11:00:00Z",
    },
    RecordKind.OPT_OUTS: {"email": "ann@shop.example"},
}
TABLES = {
    RecordKind.CUSTOMERS: schema.customers,
    RecordKind.PRODUCTS: schema.products,
    RecordKind.ORDERS: schema.orders,
    RecordKind.EVENTS: schema.events,
    RecordKind.FEEDBACK: schema.feedback,
    RecordKind.CONVERSATIONS: schema.episodes,
    RecordKind.OPT_OUTS: schema.suppressions,
}


@dataclass(frozen=True)
class Door:
    """A running site, its program, and a client that shows a key."""

    program: Program
    client: httpx.Client

    def send(
        self, kind: RecordKind, *records: Any, key: str | None = None
    ) -> httpx.Response:
        headers = {} if key is None else {"Idempotency-Key": key}
        body = {"records": list(records)}
        return self.client.post(f"/api/v1/{kind}", json=body, headers=headers)

    def count(self, table: Any) -> int:
        query = select(func.count()).select_from(table)
        return self.program.database.read_now(lambda c: c.scalar(query)) or 0


@pytest.fixture
def door(config: Path) -> Iterator[Door]:
    settings = anchored(load_settings(config), config.parent)
    with (
        open_program(settings, SystemClock()) as program,
        running(
            program.database,
            config.parent,
            bot=False,
            receiver=RecordReceiver(program),
        ) as site,
        httpx.Client(base_url=site.url, timeout=20, trust_env=False) as client,
    ):
        secret = new_key(program, *RECORDS)
        client.headers["Authorization"] = f"Bearer {secret}"
        yield Door(program, client)


def new_key(program: Program, *kinds: RecordKind) -> str:
    now = program.clock.now()
    return program.database.write_now(
        TEST, lambda c: api_keys.create(c, "till", "shop", kinds, now)
    )


@pytest.mark.parametrize("kind", list(RECORDS))
def test_records_of_each_kind_are_taken(door: Door, kind: RecordKind) -> None:
    before = door.count(TABLES[kind])

    answer = door.send(kind, SAMPLES[kind])

    assert answer.status_code == 200, answer.text
    assert answer.json() | {"import_id": 1} == {
        "import_id": 1,
        "records": 1,
        "accepted": 1,
        "rejected": [],
    }
    assert door.count(TABLES[kind]) == before + 1


def test_an_order_comes_with_its_lines_and_total(door: Door) -> None:
    door.send(RecordKind.ORDERS, ORDER)

    [row] = door.program.database.read_now(
        lambda c: c.execute(select(schema.orders)).all()
    )
    assert (row.total_minor, row.currency) == (1470, "EUR")
    assert door.count(schema.order_lines) == 2


def test_wrong_records_are_named_and_the_others_taken(door: Door) -> None:
    answer = door.send(
        RecordKind.CUSTOMERS,
        ANN,
        {"name": "nobody"},
        {"id": "bob", "birth_date": "yesterday"},
        {"id": "eve", "nmae": "Eve"},
    ).json()

    assert (answer["records"], answer["accepted"]) == (4, 1)
    assert [(each["index"], each["field"]) for each in answer["rejected"]] == [
        (1, "id"),
        (2, "birth_date"),
        (3, "nmae"),
    ]


def test_what_only_the_import_sees_is_named_too(door: Door) -> None:
    order = ORDER | {"order": "1002", "lines": [{"amount": "999999999999"}]}

    answer = door.send(RecordKind.ORDERS, ORDER, order).json()

    assert answer["accepted"] == 1
    assert {each["index"] for each in answer["rejected"]} == {1}
    assert answer["rejected"][0]["reason"] == "bad_number"


def test_a_repeated_request_gets_the_first_answer(door: Door) -> None:
    first = door.send(RecordKind.EVENTS, SAMPLES[RecordKind.EVENTS], key="e-1")

    again = door.send(RecordKind.EVENTS, SAMPLES[RecordKind.EVENTS], key="e-1")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    imports = door.program.database.read_now(ingest.all_imports)
    assert len(imports) == 1


def test_a_key_is_not_reused_for_another_request(door: Door) -> None:
    door.send(RecordKind.CUSTOMERS, ANN, key="k")

    answer = door.send(RecordKind.CUSTOMERS, ANN | {"name": "Anna"}, key="k")

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"


def test_the_same_record_again_is_believed_again(door: Door) -> None:
    def city() -> str | None:
        query = select(schema.customers.c.city)
        return door.program.database.read_now(lambda c: c.scalar(query))

    for name in ("Berlin", "Paris", "Berlin"):
        door.send(RecordKind.CUSTOMERS, ANN | {"city": name})

        assert city() == name


def test_one_request_sent_twice_at_once_is_taken_once(door: Door) -> None:
    with ThreadPoolExecutor(4) as pool:
        answers = list(
            pool.map(
                lambda _: door.send(RecordKind.ORDERS, ORDER, key="same").status_code,
                range(4),
            )
        )

    assert set(answers) <= {200, 409}
    assert 200 in answers
    assert door.count(schema.order_lines) == 2
    assert len(door.program.database.read_now(ingest.all_imports)) == 1


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Authorization": ""}, 401),
        ({"Authorization": "Bearer rapport_guessed"}, 401),
        ({"Idempotency-Key": "two words"}, 400),
    ],
)
def test_a_request_that_can_not_be_answered_says_why(
    door: Door, headers: dict[str, str], status: int
) -> None:
    body = {"records": [ANN]}

    answer = door.client.post("/api/v1/customers", json=body, headers=headers)

    assert answer.status_code == status
    assert answer.json()["title"]
    assert door.count(schema.customers) == 0


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b'{"records": []}',
        b'{"records": {}}',
        b'{"records": [1], "more": 2}',
        b'{"records": [NaN]}',
        b'{"records": [' + b"1," * 1000 + b"1]}",
        b"[" * 100_000,
    ],
)
def test_a_body_that_is_no_batch_is_refused(door: Door, body: bytes) -> None:
    answer = door.client.post("/api/v1/customers", content=body)

    assert answer.status_code == 400


def test_more_than_a_mebibyte_is_refused(door: Door) -> None:
    answer = door.client.post("/api/v1/customers", content=b" " * (1024 * 1024 + 1))

    assert answer.status_code == 413


def test_a_key_sends_its_kinds_alone_until_it_is_revoked(door: Door) -> None:
    secret = new_key(door.program, RecordKind.PRODUCTS)
    door.client.headers["Authorization"] = f"Bearer {secret}"
    assert door.send(RecordKind.CUSTOMERS, ANN).status_code == 403
    product = SAMPLES[RecordKind.PRODUCTS]
    assert door.send(RecordKind.PRODUCTS, product).status_code == 200

    door.program.database.write_now(TEST, lambda c: api_keys.revoke(c, 2))

    assert door.send(RecordKind.PRODUCTS, product).status_code == 401


def test_nothing_of_what_came_is_left_lying_about(door: Door) -> None:
    door.send(RecordKind.CUSTOMERS, ANN, {"name": "nobody"})

    assert list((door.program.data_directory / "received").iterdir()) == []


def test_the_description_names_every_kind_and_field(door: Door) -> None:
    spec = httpx.get(f"{door.client.base_url}/api/v1/openapi.json").json()

    assert set(spec["paths"]) == {f"/api/v1/{kind}" for kind in RECORDS}
    for model in RECORDS.values():
        described = spec["components"]["schemas"][model.__name__]["properties"]
        assert set(described) == set(model.model_fields)
