"""From a claimed row to a message: its words, its links, its headers."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from sqlalchemy import update

from content.files import CampaignSource
from core.errors import CampaignError
from core.model import Channel, DeliveryState, Envelope, IdentityKind, SkipReason
from outreach import links
from storage import customers, deliveries, installation, schema
from storage.database import Connection
from storage.deliveries import Claim, Delivery, Planned, Result
from storage.runs import Run
from tests.outreach.house import NOON, House, campaign, grant

pytestmark = pytest.mark.anyio

ITEM = {
    "product_id": 1,
    "name": "Cup",
    "url": None,
    "price_minor": 1250,
    "currency": None,
    "reason": "popular",
    "reason_product": None,
    "reason_share_ratio": None,
}
WORDS = """\
{{ customer.first_name | default("you") }}, {{ customer.orders_count }} orders,
{% for item in items %}
{{ item.name }} {{ item.price | money(item.currency) }} {{ item.reason }} {{ item.url }}
{% endfor %}
{{ company.name }} {{ now | date("%d.%m.%Y %H:%M") }}
{{ links.unsubscribe }} {{ links.preferences }}
"""


def claimed(house: House, run: Run) -> list[Delivery]:
    claim = Claim("sender-a", 1)
    return house.write(lambda c: deliveries.claim(c, claim, NOON, 30, 10))


def written(
    house: House, rows: list[Delivery]
) -> tuple[dict[int, Envelope], list[Result]]:
    return house.read(lambda c: house.composer.envelopes(c, rows, NOON))


async def one_row(
    house: House,
    source: CampaignSource,
    content: dict[str, Any] | None = None,
    channel: Channel = Channel.EMAIL,
) -> tuple[Run, Delivery]:
    """A run with the first customer's row alone."""
    run = await house.planned(source)
    person = house.read(lambda c: customers.find(c, IdentityKind.EMAIL, FIRST)).id

    def replant(connection: Connection) -> None:
        connection.execute(schema.deliveries.delete())
        row = Planned(person, channel, DeliveryState.PLANNED, None, None, content or {})
        deliveries.add_planned(connection, run.id, [row], NOON)

    house.write(replant)
    [row] = claimed(house, run)
    return run, row


FIRST = "a1@example.com"


async def envelope_of(
    house: House, source: CampaignSource, content: dict[str, Any] | None = None
) -> Envelope:
    _, row = await one_row(house, source, content)
    found, broken = written(house, [row])
    assert not broken
    return found[row.id]


async def test_writes_what_is_known_of_customer_and_shop(house: House) -> None:
    house.people(1)

    mail = await envelope_of(house, campaign(body=WORDS), {"items": [ITEM]})

    assert mail.text.splitlines()[0] == "Ann, 0 orders,"
    assert "Cup €12.50 Popular. https://shop.example" in mail.text
    # Noon by the clocks of Berlin, where the shop is.
    assert "Linden 03.03.2026 12:00" in mail.text
    assert (mail.address, mail.subject) == (FIRST, "Hello Ann 1")


async def test_writes_what_a_file_told_of_the_customer(house: House) -> None:
    house.people(1)
    told = {
        "birth_date": date(1986, 3, 4),
        "gender": "female",
        "address": "Main St 1",
        "postcode": "10115",
        "attributes": {"Shoe size": "42", "items": "cup"},
        "preferences": {"newsletter": "weekly"},
    }
    house.write(lambda c: c.execute(update(schema.customers).values(told)))
    words = (
        "{{ customer.age }} {{ customer.gender }} {{ customer.postcode }}"
        " {{ customer.address }} {{ customer.birth_date | date('%d.%m.%Y') }}"
        ' {{ customer.attributes["Shoe size"] }} {{ customer.attributes.items }}'
        " {{ customer.preferences.newsletter }}"
        ' {{ customer.attributes.nothing | default("none") }}'
        ' {{ customer.phone | default("no phone") }} {{ links.unsubscribe }}'
    )

    mail = await envelope_of(house, campaign(body=words))

    # The birthday is tomorrow.
    expected = "39 female 10115 Main St 1 04.03.1986 42 cup weekly none no phone"
    assert mail.text.startswith(expected)


async def test_a_promotion_can_be_left_with_one_click(house: House) -> None:
    house.people(1)
    _, row = await one_row(house, campaign())

    mail = written(house, [row])[0][row.id]

    address = mail.headers["List-Unsubscribe"].strip("<>")
    key = house.read(lambda c: installation.key(c, "links"))
    token = address.rpartition("/u/")[2]
    assert links.verify(key, "unsubscribe", token) == row.id
    assert address in mail.text
    assert mail.headers["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert mail.headers["List-Id"] == "<offers.shop.example>"


async def test_a_service_message_is_no_list(house: House) -> None:
    house.people(1)
    definition = (
        "campaign: hello\ntitle: H\ntopic: orders\nkind: service\nchannel: [email]\n"
    )

    mail = await envelope_of(house, campaign(campaign_yaml=definition))

    assert set(mail.headers) == {"Reply-To", "List-Id"}


async def test_a_message_keeps_its_id_when_it_is_written_again(house: House) -> None:
    house.people(2)
    run = await house.planned()
    rows = claimed(house, run)

    first, again = (written(house, rows)[0] for _ in range(2))

    ids = [each.message_id for each in first.values()]
    assert ids == [each.message_id for each in again.values()]
    assert len(set(ids)) == 2


async def test_writes_in_the_language_of_the_customer(house: House) -> None:
    [person] = house.people(1)
    house.write(lambda c: customers.set_language(c, person, "zh-Hans", NOON))
    source = campaign(
        subject_zh_txt="您好",
        body_zh_txt="您好 {{ links.unsubscribe }}",
        chat_zh_txt="您好",
    )

    mail = await envelope_of(house, source)

    assert mail.subject == "您好"


async def test_chat_takes_the_words_for_chat(house: House) -> None:
    [person] = house.people(1)

    def join(connection: Connection) -> None:
        customers.add_identity(connection, person, IdentityKind.WEBCHAT, "v1", NOON)
        grant(connection, person, Channel.WEBCHAT)

    house.write(join)
    source = campaign(channel="email, webchat", chat_txt="Just a word")
    _, row = await one_row(house, source, channel=Channel.WEBCHAT)

    chat = written(house, [row])[0][row.id]

    assert (chat.address, chat.text, chat.html) == ("v1", "Just a word", None)
    assert not chat.headers


async def test_a_message_that_can_not_be_written_says_where(house: House) -> None:
    house.people(1)
    body = "Hello\n{{ customer.city }}\n{{ links.unsubscribe }}\n"
    _, row = await one_row(house, campaign(body=body))

    found, [broken] = written(house, [row])

    assert not found
    assert (broken.state, broken.reason) == (
        DeliveryState.REJECTED,
        SkipReason.RENDER_ERROR,
    )
    assert "hello/body.txt:2" in (broken.detail or "")


async def test_an_unknown_reason_breaks_its_message_alone(house: House) -> None:
    house.people(1)
    odd = {"items": [ITEM | {"reason": "whim"}]}
    _, row = await one_row(house, campaign(body=WORDS), odd)

    found, [broken] = written(house, [row])

    assert not found
    assert "unknown reason" in (broken.detail or "")


async def test_content_that_was_changed_behind_a_run_is_refused(house: House) -> None:
    house.people(1)
    run = await house.planned()
    table = schema.campaign_runs
    house.write(lambda c: c.execute(update(table).values(content_hash="other")))
    tampered = house.run(run)
    house.renew(house.settings)

    with pytest.raises(CampaignError, match="not what was frozen"):
        house.read(lambda c: house.composer.ready(c, tampered))
