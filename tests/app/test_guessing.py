"""`rapport import --guess`: from a file to a mapping to its records."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import pytest
from sqlalchemy import select

from app import guessing
from app.guessing import guess_command
from app.importing import import_file
from app.kinds import KINDS
from content.conversations import conversation_reader
from content.feedback import feedback_reader
from content.guess import settle
from content.mapping import FileMapping
from content.mapping_file import read_mapping
from content.profile import TEMPLATES
from content.rows import FileDefaults
from content.table import open_table
from core.clock import SystemClock
from core.errors import DataError
from core.records import Batch, RecordKind
from core.settings import ROOT, Settings
from storage.database import open_database
from storage.migrate import prepare
from storage.schema import customers

MADE = ROOT / "tests" / "app" / "files"
DEFAULTS = FileDefaults("EUR", "Europe/Berlin", date(2024, 6, 1))
READERS = {
    **{kind: each.read for kind, each in KINDS.items()},
    RecordKind.CONVERSATIONS: conversation_reader,
    RecordKind.FEEDBACK: feedback_reader,
}

GERMAN = """\
Kundennr;Vorname;Nachname;E-Mail;Geburtsdatum;Straße;Hausnr.;PLZ;Ort;Abo;Gehalt EUR
1;Jürgen;Müller;j@example.de;31.12.1980;Hauptstr.;12a;10115;Berlin;ja;45.000,00
2;Anna;Groß;a@example.de;05.02.1975;Ringweg;3;80331;München;nein;
"""
FRENCH = """\
N° client;Prénom;Nom;Courriel;Portable;Date de naissance;Ville;Abonné newsletter
1;Zoé;Lefèvre;zoe@example.fr;06 12 34 56 78;14/07/1990;Paris;oui
2;Luc;Béranger;luc@example.fr;06 98 76 54 32;03/03/1985;Lyon;non
"""
SPANISH = """\
Nº pedido;Fecha;Cliente;Referencia;Descripción;Cantidad;Precio unitario;Cupón
A-1;03/05/2024 10:12;77;R-10;Taza;2;3,50 €;
A-1;03/05/2024 10:12;77;R-11;Plato;1;5,25 €;
A-2;28/05/2024 19:40;78;R-10;Taza;1;3,50 €;MAYO
"""
CHINESE = """\
订单编号,买家会员名,实付款,订单状态,下单时间,商品标题,数量
1001,小明妈妈,"¥1,299.00",交易成功,2024/1/5 10:21:33,纯棉T恤,2
1002,阳光_007,¥89.50,交易成功,2024/1/15 8:02:11,陶瓷杯,1
"""
RETURNS = """\
Invoice No,Stock Code,Description,Quantity,Invoice Date,Unit Price,Customer ID,Total
1,10A,Lantern,6,2024-12-01 08:26,2.55,7,33.30
1,POST,Postage,1,2024-12-01 08:26,18.00,7,33.30
C2,10A,Lantern,-1,2024-12-13 09:00,2.55,7,-2.55
3,10A,Lantern,2,2024-12-14 09:00,2.55,8,5.10
"""
REVIEWS = """\
Review ID,Customer ID,Date,Rating,Comment
r1,7,2024-05-03,10,Great
r2,8,2024-05-04,0,"Late, and wrong"
"""
TICKETS = """\
Ticket,Requester,Created at,Solved at,Channel,Status,First reply time (min),CSAT
1,a@example.org,2024-05-03 10:00,2024-05-03 12:00,Email,Solved,12,Good
2,b@example.org,2024-05-03 11:00,,Telephone,Open,3,Bad
"""
CALLS = """\
Call Id,Agent,Date,Time,Topic,Talk time
1,Ann,03.05.2024,09:12,Contract,00:02:23
2,Bob,28.05.2024,17:40,Payment,00:00:58
"""
REDEMPTIONS = (
    "household_id,coupon,redemption_date\n7,SPRING,2024-01-02\n7,MAY,2024-05-02\n"
)
CLICKS = '{"user_id": 7, "event": "click", "timestamp": 1706700000, "page": "/a"}\n'
OPT_OUTS = "Email,Reason\na@example.org,too many\nb@example.org,\n"
RATES = "Date,Currency,Rate\n2024-01-02,USD,0.91\n2024-01-02,CNY,0.128\n"
UNKNOWN = "Customer ID,E-mail,Born\n1,a@example.org,1980-02-03\n2,?,?\n"


@pytest.fixture
def guess(tmp_path: Path):
    """Write a file and guess it; its mapping, and the text of that."""

    def guess(text: str, name: str, kind: str | None = None, encoding="utf-8"):
        file = tmp_path / name
        file.write_bytes(text.encode(encoding))
        target = tmp_path / "guessed.yaml"
        guess_command(str(file), kind, target)
        return read_mapping(target), target.read_text(encoding="utf-8")

    return guess


@pytest.fixture
def settings(tmp_path) -> Settings:
    url = f"sqlite:///{tmp_path / 'rapport.db'}"
    return Settings(storage={"url": url, "data_directory": tmp_path / "data"})


@pytest.mark.parametrize(
    ("text", "name", "kind", "columns"),
    [
        (
            GERMAN,
            "kunden.csv",
            "customers",
            {
                "id": "Kundennr",
                "given_name": "Vorname",
                "family_name": "Nachname",
                "email": "E-Mail",
                "birth_date": "Geburtsdatum",
                "address": ("Straße", "Hausnr."),
                "postcode": "PLZ",
                "city": "Ort",
                "consent_email": "Abo",
                "income": "Gehalt EUR",
            },
        ),
        (
            FRENCH,
            "clients.csv",
            "customers",
            {
                "id": "N° client",
                "given_name": "Prénom",
                "family_name": "Nom",
                "email": "Courriel",
                "phone": "Portable",
                "birth_date": "Date de naissance",
                "city": "Ville",
                "consent_email": "Abonné newsletter",
            },
        ),
        (
            SPANISH,
            "pedidos.csv",
            "orders",
            {
                "order": "Nº pedido",
                "ordered_at": "Fecha",
                "customer": "Cliente",
                "product": "Referencia",
                "product_name": "Descripción",
                "quantity": "Cantidad",
                "price": "Precio unitario",
                "coupon": "Cupón",
            },
        ),
        (
            CHINESE,
            "dd.csv",
            "orders",
            {
                "order": "订单编号",
                "ordered_at": "下单时间",
                "customer": "买家会员名",
                "product_name": "商品标题",
                "quantity": "数量",
                "amount": "实付款",
                "status": "订单状态",
            },
        ),
        (
            REVIEWS,
            "reviews.csv",
            "feedback",
            {
                "id": "Review ID",
                "customer": "Customer ID",
                "answered_at": "Date",
                "score": "Rating",
                "comment": "Comment",
            },
        ),
        (
            CALLS,
            "calls.csv",
            "conversations",
            {
                "id": "Call Id",
                "agent": "Agent",
                "opened_at": ("Date", "Time"),
                "topic": "Topic",
                "handling_seconds": "Talk time",
            },
        ),
        (
            REDEMPTIONS,
            "redemptions.csv",
            "events",
            {"customer": "household_id", "at": "redemption_date"},
        ),
        (
            CLICKS,
            "clicks.jsonl",
            "events",
            {"customer": "user_id", "event": "event", "at": "timestamp"},
        ),
        (OPT_OUTS, "left.csv", "opt_outs", {"email": "Email", "reason": "Reason"}),
        (
            RATES,
            "fx.csv",
            "rates",
            {"currency": "Currency", "day": "Date", "rate": "Rate"},
        ),
    ],
    ids=lambda value: value if isinstance(value, str) and "\n" not in value else "",
)
def test_kind_and_columns_are_found(guess, text, name, kind, columns):
    mapping, _ = guess(text, name)

    assert mapping.kind == kind
    assert mapping.columns == columns


@pytest.mark.parametrize(
    ("text", "name", "encoding"),
    [
        (GERMAN, "kunden.csv", "cp1252"),
        (FRENCH, "clients.csv", "utf-16"),
        (SPANISH, "pedidos.csv", "utf-8"),
        (CHINESE, "dd.csv", "gb18030"),
        (RETURNS, "retail.csv", "utf-8"),
        (REVIEWS, "reviews.csv", "utf-8"),
        (TICKETS, "tickets.csv", "utf-8"),
        (CALLS, "calls.csv", "utf-8"),
        (REDEMPTIONS, "redemptions.csv", "utf-8"),
        (CLICKS, "clicks.jsonl", "utf-8"),
        (OPT_OUTS, "left.csv", "utf-8"),
        (RATES, "fx.csv", "utf-8"),
        (UNKNOWN, "customers.csv", "utf-8"),
    ],
    ids=lambda value: value if "\n" not in value else "",
)
def test_a_guessed_mapping_reads_its_file(guess, tmp_path, text, name, encoding):
    mapping, _ = guess(text, name, encoding=encoding)

    found = batches(tmp_path / name, mapping)

    assert [reject for batch in found for reject in batch.rejects] == []
    assert sum(len(batch.records) for batch in found) >= 1


def batches(file: Path, mapping: FileMapping) -> list[Batch]:
    settled, _ = settle(mapping, file)
    with open_table(file, settled) as table:
        return list(READERS[mapping.kind](table, settled, DEFAULTS).batches())


def test_what_was_guessed_is_imported(guess, settings, tmp_path):
    mapping, _ = guess(GERMAN, "kunden.csv", encoding="cp1252")
    with open_database(settings.storage.url) as database:
        prepare(database)
        import_file(database, SystemClock(), settings, tmp_path / "kunden.csv", mapping)
        query = select(customers.c.name, customers.c.address, customers.c.income_minor)
        found = database.read_now(lambda c: list(map(tuple, c.execute(query))))

    assert found == [
        ("Jürgen Müller", "Hauptstr. 12a", 4500000),
        ("Anna Groß", "Ringweg 3", None),
    ]


def test_encoding_decimal_sign_and_dates_are_written_down(guess):
    mapping, text = guess(GERMAN, "kunden.csv", encoding="cp1252")

    assert (mapping.encoding, mapping.delimiter, mapping.decimal) == (
        "cp1252",
        ";",
        ",",
    )
    assert mapping.dates == ("iso", "%d.%m.%Y")
    assert mapping.defaults == {"currency": "EUR"}
    assert "day first, as in 31.12.1980" in text
    assert "the header is Gehalt EUR" in text


def test_answers_in_another_language_get_their_meaning(guess):
    mapping, _ = guess(FRENCH, "clients.csv")

    assert mapping.values["consent_email"] == {"oui": "yes", "non": "no"}


def test_returns_and_postage_are_seen(guess):
    codes = "".join(
        f"{n},{n}A,Lantern,1,2024-12-20 08:00,2.00,9,2.00\n" for n in range(40, 80)
    )
    mapping, text = guess(RETURNS + codes, "retail.csv")

    assert mapping.rules.return_prefix == "C"
    assert mapping.rules.no_product == {"POST"}
    # A total that all lines of an order repeat would count once for each.
    assert "amount" not in mapping.columns
    assert "Total (the same in all lines of an order" in text


def test_scores_and_units_get_their_scale(guess):
    reviews, _ = guess(REVIEWS, "reviews.csv")

    assert reviews.scale == (0, 10)


def test_words_for_scores_and_minutes_are_understood(guess):
    mapping, _ = guess(TICKETS, "tickets.csv")

    assert mapping.scale == (1, 5)
    assert mapping.values["score"] == {"Good": "5", "Bad": "1"}
    assert mapping.values["kind"] == {"Telephone": "call"}
    assert mapping.rules.seconds_per_unit == 60


def test_a_mapping_says_what_is_known_of_nothing(guess):
    mapping, text = guess(UNKNOWN, "customers.csv")

    assert mapping.missing == ("", "?")
    assert "stand where nothing is known" in text


def test_a_column_that_ends_with_a_question_mark_is_found_again(guess, tmp_path):
    mapping, _ = guess("id,email,Newsletter?\n1,a@example.org,yes\n", "people.csv")

    assert mapping.columns["consent_email"] == "Newsletter?"
    (batch,) = batches(tmp_path / "people.csv", mapping)
    assert len(batch.records[0].consents) == 1


def test_names_that_yaml_would_misread_are_quoted(guess):
    mapping, _ = guess('id,"e-mail: [1]",no\n1,a@example.org,x\n', "people.csv")

    assert mapping.columns["email"] == "e-mail: [1]"


def test_what_can_not_be_told_is_left_to_a_person(guess, tmp_path):
    text = "order id,date,price\n1,03/04/2024,1.234\n2,05/06/2024,2.500\n"

    mapping, written = guess(text, "orders.csv")

    assert '"%d/%m/%Y"]` (day first) or' in written
    assert 'decimal: "."` or `decimal: ","' in written
    with pytest.raises(DataError, match="can't be told"):
        batches(tmp_path / "orders.csv", mapping)


def test_the_kind_can_be_said(guess):
    mapping, _ = guess(CHINESE, "dd.csv", kind="customers")

    assert mapping.kind is RecordKind.CUSTOMERS
    assert mapping.columns["id"] == "买家会员名"


def test_a_shipped_mapping_that_fits_is_offered(capsys):
    file = MADE / "shopify-orders.csv"

    guess_command(str(file), None, None)

    shown = capsys.readouterr()
    assert shown.out == (TEMPLATES / "mappings" / "shopify-orders.yaml").read_text()
    assert "--mapping shopify-orders" in shown.err


def test_what_was_written_is_shown_with_the_next_command(guess, capsys):
    guess(OPT_OUTS, "left.csv")

    assert "guessed.yaml" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("text", "kind", "said"),
    [
        ("a,b\n1,2\n", None, "fit to no kind of record"),
        ("a,b\n1,2\n", "orders", "orders need a column for order; ordered_at"),
        ("id,email\n", None, "no rows below the header"),
        ("id,email\n1,a@example.org\n", "order", "Did you mean `orders`"),
    ],
)
def test_what_fits_to_nothing_says_what_is_missing(guess, text, kind, said):
    with pytest.raises(DataError, match=said):
        guess(text, "things.csv", kind)


def test_a_mapping_that_is_there_is_not_overwritten(guess, tmp_path):
    (tmp_path / "guessed.yaml").write_text("kind: orders\n")

    with pytest.raises(DataError, match="there already"):
        guess(OPT_OUTS, "left.csv")


@pytest.mark.parametrize(
    ("name", "kind", "fields"),
    [
        ("online_retail/online_retail_to_2011-09-09.csv.gz", "orders", 8),
        ("online_retail/Online Retail first 5000.xlsx", "orders", 8),
        ("marketing_campaign/marketing_campaign_shared.csv", "customers", 4),
        ("call_center/Call-Center-Dataset.xlsx", "conversations", 8),
        ("incident_log/incident_event_log_shared.csv.gz", "conversations", 8),
        ("febrl/dataset3.csv", "customers", 7),
        ("hillstrom/hillstrom_shared.csv.gz", "customers", 1),
        ("complete_journey/transactions_to_2017-09-30.csv.gz", "orders", 6),
        ("complete_journey/products.csv.gz", "products", 3),
        ("complete_journey/demographics.csv", "customers", 1),
        ("complete_journey/coupon_redemptions.csv", "events", 2),
    ],
)
def test_real_files_are_taken_for_what_they_are(
    data_set, monkeypatch, tmp_path, name, kind, fields
):
    # Without the shipped mappings, which know some of these files.
    monkeypatch.setattr(guessing, "fitting_shipped", lambda *_: None)
    target = tmp_path / "guessed.yaml"

    guess_command(str(data_set(name)), None, target)

    mapping = read_mapping(target)
    assert mapping.kind == kind
    assert len(mapping.columns) == fields
