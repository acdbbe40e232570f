"""What other programs may send, field by field; also the schema that they read."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from core.model import CaseKind, EpisodeEnd
from core.records import RecordKind

RECORDS_MAX = 1000

Id = Annotated[str, Field(min_length=1, max_length=64)]
Word = Annotated[str, Field(min_length=1, max_length=64)]
Currency = Annotated[str, Field(pattern=r"^[A-Za-z]{3}$")]
Moment = datetime | date
Scalar = str | int | float | bool | None


class Record(BaseModel):
    """One record; a field that is left out leaves alone what is known."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    def rows(self) -> list[dict[str, Any]]:
        """The record as rows of a file with plain column names."""
        return [self.model_dump(mode="json", exclude_none=True)]


class Customer(Record):
    """A customer under the id that your system has for them."""

    id: Id
    name: str | None = None
    given_name: str | None = None
    family_name: str | None = None
    email: str | None = None
    phone: str | None = None
    telegram: Word | None = None
    language: Annotated[str, Field(max_length=16)] | None = None
    gender: Annotated[str, Field(max_length=16)] | None = None
    birth_date: date | None = None
    address: str | None = None
    city: str | None = None
    postcode: Annotated[str, Field(max_length=16)] | None = None
    country: Word | None = None
    income: Decimal | None = None
    income_period: Literal["year", "month", "week"] | None = None
    currency: Currency | None = Field(None, description="Of income and average price.")
    preferences: str | None = Field(None, description="`a;b` or `key=value;...`.")
    created_at: Moment | None = None
    purchase_count: int | None = None
    purchase_days: int | None = None
    average_purchase_price: Decimal | None = None
    figures_at: Moment | None = None
    consent_email: bool | None = None
    consent_telegram: bool | None = None
    topic: Word | None = Field(None, description="Of the consents; none: every topic.")
    attributes: dict[Word, Scalar] = Field(
        default_factory=dict, description="Fields of your own."
    )

    def rows(self) -> list[dict[str, Any]]:
        row = self.model_dump(mode="json", exclude_none=True, exclude={"attributes"})
        own = {key: value for key, value in self.attributes.items() if key not in row}
        return [own | row]


class Product(Record):
    """A product under your id."""

    id: Id
    name: str | None = None
    category: str | None = None
    price: Decimal | None = None
    currency: Currency | None = None
    url: str | None = None
    active: bool | None = None


class Line(BaseModel):
    """One line of an order; without a product it is money alone."""

    model_config = ConfigDict(extra="forbid", coerce_numbers_to_str=True)

    product: Id | None = None
    product_name: str | None = None
    quantity: int = 1
    amount: Decimal = Field(description="Of the whole line; negative in a return.")


class Order(Record):
    """An order with all of its lines; sent again, it replaces what was there."""

    order: Id
    ordered_at: Moment
    customer: Id | None = None
    country: Word | None = None
    currency: Currency | None = None
    discount: Decimal | None = None
    coupon: Word | None = None
    status: Word | None = None
    lines: Annotated[list[Line], Field(min_length=1, max_length=1000)]

    def rows(self) -> list[dict[str, Any]]:
        head = self.model_dump(mode="json", exclude_none=True, exclude={"lines"})
        lines = (line.model_dump(mode="json", exclude_none=True) for line in self.lines)
        return [head | line for line in lines]


class Event(Record):
    """Something that a customer did; without an id, the same one is told once."""

    id: Id | None = None
    customer: Id
    event: Word
    at: Moment
    product: Id | None = None
    value: Decimal | None = None
    currency: Currency | None = None
    data: dict[Word, Scalar] = Field(default_factory=dict)

    def rows(self) -> list[dict[str, Any]]:
        row = self.model_dump(mode="json", exclude_none=True, exclude={"data"})
        own = {key: value for key, value in self.data.items() if key not in row}
        return [own | row]


class Feedback(Record):
    """A rating from 1 (worst) to 5 (best)."""

    id: Id | None = None
    customer: Id | None = None
    answered_at: Moment
    score: Annotated[float, Field(ge=1, le=5)] | None = None
    issue: Word | None = None
    comment: str | None = None
    agent: Word | None = Field(None, description="E-mail address or name.")
    topic: Word | None = None
    channel: Word | None = None
    conversation: Id | None = Field(None, description="The id of one that you sent.")


class Conversation(Record):
    """A ticket, chat or call that was held elsewhere, with the time that it took."""

    id: Id
    customer: Id | None = None
    kind: CaseKind | None = None
    opened_at: Moment
    closed_at: Moment | None = None
    ended: EpisodeEnd | None = None
    topic: Word | None = None
    agent: Word | None = None
    first_response_at: Moment | None = None
    first_response_seconds: Annotated[float, Field(ge=0)] | None = None
    handling_seconds: Annotated[float, Field(ge=0)] | None = None
    reopened: Annotated[int, Field(ge=0)] | None = None
    score: Annotated[float, Field(ge=1, le=5)] | None = None
    issue: Word | None = None
    comment: str | None = None


class OptOut(Record):
    """Somebody who wants no campaigns: a customer by id, an address, or both."""

    id: Id | None = None
    email: str | None = None
    reason: Word | None = None


RECORDS: dict[RecordKind, type[Record]] = {
    RecordKind.CUSTOMERS: Customer,
    RecordKind.PRODUCTS: Product,
    RecordKind.ORDERS: Order,
    RecordKind.EVENTS: Event,
    RecordKind.FEEDBACK: Feedback,
    RecordKind.CONVERSATIONS: Conversation,
    RecordKind.OPT_OUTS: OptOut,
}
