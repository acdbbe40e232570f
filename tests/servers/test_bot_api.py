"""What no client library shows: plain HTTP, the control surface and the journal."""

from __future__ import annotations

import http.client
import json
from collections.abc import Sequence
from typing import Any

import pytest

from tests.servers.bot_api.answers import ApiError
from tests.servers.bot_api.client import ControlError, Emulator
from tests.servers.bot_api.faults import Bucket, Limits

ADA = 1001
FORM = "application/x-www-form-urlencoded"


def post(
    emulator: Emulator, method: str, body: str, kind: str = FORM
) -> tuple[int, dict[str, Any]]:
    connection = http.client.HTTPConnection("127.0.0.1", emulator.port, timeout=10)
    path = f"/bot{emulator.token}/{method}"
    connection.request("POST", path, body.encode(), {"Content-Type": kind})
    answer = connection.getresponse()
    tree = json.loads(answer.read())
    connection.close()
    return answer.status, tree


MULTIPART = (
    '--x\r\nContent-Disposition: form-data; name="chat_id"\r\n\r\n1001\r\n'
    '--x\r\nContent-Disposition: form-data; name="text"\r\n\r\nhi\r\n--x--\r\n'
)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        # What a browser's form sends.
        (FORM, "chat_id=1001&text=hi"),
        # What most libraries send.
        ("application/json", '{"chat_id": 1001, "text": "hi"}'),
        # What is sent with files.
        ("multipart/form-data; boundary=x", MULTIPART),
    ],
)
def test_takes_parameters_in_every_form(
    emulator: Emulator, kind: str, body: str
) -> None:
    emulator.meet(ADA)

    status, answer = post(emulator, "sendMessage", body, kind)

    assert status == 200
    assert answer["result"]["text"] == "hi"


def test_takes_a_methods_name_in_any_case(emulator: Emulator) -> None:
    assert post(emulator, "GETME", "")[0] == 200


def test_does_not_know_every_method(emulator: Emulator) -> None:
    status, answer = post(emulator, "sendSmell", "")

    assert status == 404
    assert answer == {"ok": False, "error_code": 404, "description": "Not Found"}


@pytest.mark.parametrize(
    ("body", "kind"),
    [
        # Cut off on the way.
        ('{"chat_id": ', "application/json"),
        # Not an object.
        ("[1]", "application/json"),
        # Not a number where one is needed.
        ("chat_id=1001&text=hi&reply_to_message_id=x", FORM),
        # No chat at all.
        ("text=hi", FORM),
        # A keyboard that is not JSON.
        ("chat_id=1001&text=hi&reply_markup={", FORM),
    ],
)
def test_refuses_a_malformed_call(emulator: Emulator, body: str, kind: str) -> None:
    emulator.meet(ADA)

    assert post(emulator, "sendMessage", body, kind)[0] == 400


def test_journals_refused_calls_as_well(emulator: Emulator) -> None:
    post(emulator, "sendMessage", "chat_id=1001&text=hi")

    (call,) = emulator.calls("sendMessage")
    assert (call["status"], call["chat_id"], call["text"]) == (400, "1001", "hi")


def test_journals_which_updates_it_gave(emulator: Emulator) -> None:
    number = emulator.say(ADA, "hello")

    post(emulator, "getUpdates", "offset=0")

    assert emulator.calls("getUpdates")[0]["update_ids"] == [number]


def test_pressing_a_button_that_is_not_there_is_an_error(emulator: Emulator) -> None:
    with pytest.raises(ControlError, match="no button 'yes'"):
        emulator.press(ADA, "yes")


def test_a_link_cannot_be_pressed(emulator: Emulator) -> None:
    emulator.meet(ADA)
    link = {"inline_keyboard": [[{"text": "Shop", "url": "https://shop.example"}]]}
    words = {"chat_id": ADA, "text": "See", "reply_markup": link}
    post(emulator, "sendMessage", json.dumps(words), "application/json")

    with pytest.raises(ControlError, match="opens a link"):
        emulator.press(ADA, "Shop")


def test_waiting_in_vain_is_an_error(emulator: Emulator) -> None:
    with pytest.raises(ControlError, match="waited in vain"):
        emulator.from_bot(ADA, at_least=1, seconds=0.1)


def test_an_unknown_fault_is_an_error(emulator: Emulator) -> None:
    with pytest.raises(ControlError, match="unknown faults: flod_times"):
        emulator.faults(flod_times=1)


def test_a_bucket_refills_with_time() -> None:
    bucket = Bucket(per_second=0.5, capacity=1.0)
    bucket.wait_seconds(now=0.0)
    bucket.level -= 1

    waits = [bucket.wait_seconds(now=now) for now in (0.0, 1.0, 2.0)]

    assert waits == [2.0, 1.0, 0.0]


@pytest.mark.parametrize(
    ("chats", "admitted", "retry_after"),
    [
        # 30 a second overall: the next one is free within the second.
        (range(1, 100), 30, 1),
        # 1 a second in one chat, after a burst of three.
        ([ADA] * 10, 3, 1),
        # 20 a minute in one group: one more every three seconds.
        ([-5] * 30, 20, 3),
    ],
)
def test_limits_admit_so_many_at_once(
    chats: Sequence[int], admitted: int, retry_after: int
) -> None:
    limits = Limits()
    for chat in chats[:admitted]:
        limits.admit(chat, now=1000.0)

    with pytest.raises(ApiError) as caught:
        limits.admit(chats[admitted], now=1000.0)

    assert caught.value.parameters == {"retry_after": retry_after}


def test_limits_admit_again_after_the_named_seconds() -> None:
    limits = Limits()
    for _ in range(3):
        limits.admit(ADA, now=1000.0)

    limits.admit(ADA, now=1001.0)

    with pytest.raises(ApiError):
        limits.admit(ADA, now=1001.5)
