from __future__ import annotations

import smtplib
from pathlib import Path

from core.model import DeliveryState
from outreach.reconcile import Recorded
from tests.servers.checker import check_sink
from tests.servers.sink import Sink

SENDER = "shop@shop.example"
ADA = "ada@customer.example"
MESSAGE = "Message-ID: <1@shop.example>\r\n\r\nHello\r\n"
ROW = Recorded("<1@shop.example>", ADA, DeliveryState.ACCEPTED)


def send_times(sink: Sink, times: int) -> None:
    with smtplib.SMTP(sink.host, sink.port) as client:
        for _ in range(times):
            client.sendmail(SENDER, [ADA], MESSAGE)


def test_a_sink_that_took_every_message_once_agrees(tmp_path: Path) -> None:
    with Sink(tmp_path) as sink:
        send_times(sink, 1)

        assert check_sink(sink.journal, [ROW]).ok


def test_names_a_message_that_arrived_twice(tmp_path: Path) -> None:
    with Sink(tmp_path) as sink:
        send_times(sink, 2)

        assert check_sink(sink.journal, [ROW]).doubled == ("1@shop.example",)


def test_names_a_message_that_never_arrived(tmp_path: Path) -> None:
    verdict = check_sink(tmp_path / "absent", [ROW])

    assert verdict.lost == ("1@shop.example",)
