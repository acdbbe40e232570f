"""The HTTP edge of the emulator: tokens, methods, faults and the journal."""

from __future__ import annotations

import argparse
import asyncio
import socket
import time
from pathlib import Path
from typing import Any

from aiohttp import web

from tests.servers.bot_api.answers import ApiError, Json
from tests.servers.bot_api.control import Control
from tests.servers.bot_api.faults import PACED_METHODS, Faults, Limits
from tests.servers.bot_api.methods import METHODS
from tests.servers.bot_api.params import Params, read_params
from tests.servers.bot_api.world import World
from tests.servers.journal import Journal
from tests.servers.life import announce, until_end

BODY_LIMIT = 60 * 1024 * 1024
_JOURNALLED = ("chat_id", "message_id", "text", "callback_query_id", "offset")


class HostedBot:
    """One bot with its world; what it did is in the journal before it hears so."""

    def __init__(self, token: str, journal: Journal) -> None:
        self.journal = journal
        self._faults = Faults()
        self._limits = Limits()
        self._world = World(bot_id=int(token.partition(":")[0]))
        self.control = Control(self._world, self._faults, journal)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["method"]
        method = name.lower()
        params = Params({})
        try:
            params = await read_params(request)
            result = await self._call(method, params)
            status, body = 200, {"ok": True, "result": result}
        except ApiError as error:
            status, body = error.code, error.body()
        self._record(name, params, status, body)
        await self._world.notify()
        await asyncio.sleep(self._faults.pause(method))
        if self._faults.drops(method) and request.transport is not None:
            request.transport.abort()
        return web.json_response(body, status=status)

    async def _call(self, method: str, params: Params) -> Any:
        if self._world.logged_out:
            raise ApiError(400, "Logged out")
        if method == "getupdates":
            return await self._world.updates.get(params)
        if method not in METHODS:
            raise ApiError(404, "Not Found")
        self._faults.before(method)
        if self._faults.limits and method in PACED_METHODS:
            self._limits.admit(params.integer("chat_id"), time.monotonic())
        return METHODS[method](self._world, params)

    def _record(self, name: str, params: Params, status: int, body: Json) -> None:
        result = body.get("result")
        if name.lower() == "getupdates" and status == 200 and not result:
            return
        fields = {key: params.values[key] for key in _JOURNALLED if params.given(key)}
        if isinstance(result, dict) and "message_id" in result:
            fields["message_id"] = result["message_id"]
        if name.lower() == "getupdates" and isinstance(result, list):
            fields["update_ids"] = [update["update_id"] for update in result]
        self.journal.commit("call", method=name, status=status, **fields)


class BotHost:
    """All bots of this process by token, as one Telegram hosts many bots."""

    def __init__(self, *, sync: bool) -> None:
        self._bots: dict[str, HostedBot] = {}
        self._sync = sync

    def add(self, token: str, journal: Path) -> None:
        """A new bot with a world of its own."""
        self._bots[token] = HostedBot(token, Journal(journal, sync=self._sync))

    def close(self) -> None:
        for bot in self._bots.values():
            bot.journal.close()

    async def call(self, request: web.Request) -> web.StreamResponse:
        bot = self._bots.get(request.match_info["token"])
        if bot is None:
            return web.json_response(ApiError(401, "Unauthorized").body(), status=401)
        return await bot.handle(request)

    async def control(self, request: web.Request) -> web.Response:
        return await self._bots[request.match_info["token"]].control.handle(request)

    async def register(self, request: web.Request) -> web.Response:
        words = await request.json()
        self.add(words["token"], Path(words["journal"]))
        return web.json_response({"result": None})


async def serve(arguments: argparse.Namespace) -> None:
    """Listen on loopback until told to stop."""
    host = BotHost(sync=arguments.sync)
    host.add(arguments.token, arguments.journal)
    app = web.Application(client_max_size=BODY_LIMIT)
    app.router.add_route("*", "/bot{token}/{method}", host.call)
    app.router.add_post("/control", host.register)
    app.router.add_post("/control/{token}/{action}", host.control)
    # A poller that was killed must not hold its long poll: its handler is cancelled.
    runner = web.AppRunner(
        app, access_log=None, handler_cancellation=True, shutdown_timeout=0.5
    )
    await runner.setup()
    listener = socket.create_server(("127.0.0.1", arguments.port))
    await web.SockSite(runner, listener).start()
    announce(port=listener.getsockname()[1])
    await until_end(arguments.lifetime, arguments.parent)
    await runner.cleanup()
    host.close()
