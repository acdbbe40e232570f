"""The bot's parts go on after a failure."""

from __future__ import annotations

import asyncio

import pytest

from bot import service

pytestmark = pytest.mark.anyio


async def test_a_part_that_fails_begins_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(service, "RESTART_SECONDS", 0.0)
    working = asyncio.Event()

    failures = iter([ConnectionError, ConnectionError])

    async def work() -> None:
        for failure in failures:
            raise failure
        working.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(service._kept("turns", work))
    async with asyncio.timeout(10):
        await working.wait()
    task.cancel()

    assert next(failures, None) is None
