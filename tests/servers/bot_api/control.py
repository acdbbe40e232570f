"""The other side of the chat for tests: users who write, press, block and look."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import asdict, fields

from aiohttp import web

from tests.servers.bot_api.answers import MIGRATED, ApiError, Json
from tests.servers.bot_api.faults import Faults
from tests.servers.bot_api.world import World
from tests.servers.journal import Journal

Action = Callable[[Json], Awaitable[object]]


class Control:
    """Every public coroutine here is an action: POST /control/<token>/<name>."""

    def __init__(self, world: World, faults: Faults, journal: Journal) -> None:
        self._world = world
        self._faults = faults
        self._journal = journal
        self._actions: dict[str, Action] = {
            name: getattr(self, name)
            for name in dir(self)
            if not name.startswith("_") and name != "handle"
        }

    async def handle(self, request: web.Request) -> web.Response:
        action = self._actions.get(request.match_info["action"])
        if action is None:
            return web.json_response({"error": "unknown action"}, status=404)
        try:
            result = await action(await request.json())
        except TimeoutError:
            return web.json_response({"error": "waited in vain"}, status=408)
        except (LookupError, ValueError) as error:
            return web.json_response({"error": str(error)}, status=400)
        return web.json_response({"result": result})

    async def say(self, words: Json) -> Json:
        user = words["user"]
        chat_id = words.get("chat") or user
        self._world.meet(user, **words.get("details", {}))
        update_id, message = self._world.say(user, words["text"], chat_id)
        number = message["message_id"]
        self._journal.note("said", user=user, update_id=update_id, message_id=number)
        await self._world.notify()
        return {"update_id": update_id, "message_id": number}

    async def press(self, words: Json) -> str:
        user = words["user"]
        press_id = self._world.press(user, words["button"], words.get("chat") or user)
        self._journal.note("pressed", user=user, callback_query_id=press_id)
        return press_id

    async def answer(self, words: Json) -> Json | None:
        """What the bot told the user who pressed, None while it has not."""
        async with asyncio.timeout(words["seconds"]):
            async with self._world.changed:
                press = self._world.presses[words["press"]]
                await self._world.changed.wait_for(lambda: press.answer is not None)
        return press.answer

    async def meet(self, words: Json) -> None:
        for user in words["users"]:
            self._world.meet(user)

    async def meet_everyone(self, _: Json) -> None:
        self._world.knows_everyone = True

    async def group(self, words: Json) -> None:
        self._world.meet(words["chat"], kind="group", name=words["title"])

    async def block(self, words: Json) -> None:
        self._world.set_blocked(words["user"], blocked=True)

    async def unblock(self, words: Json) -> None:
        self._world.set_blocked(words["user"], blocked=False)

    async def refuse(self, words: Json) -> None:
        error = ApiError(words["code"], words["description"])
        self._world.meet(words["chat"]).refusal = error

    async def migrate(self, words: Json) -> None:
        new = words["to"]
        self._world.meet(new, kind="supergroup")
        error = ApiError(400, MIGRATED, migrate_to_chat_id=new)
        self._world.meet(words["chat"]).refusal = error

    async def faults(self, words: Json) -> Json:
        known = {each.name for each in fields(Faults)}
        unknown = sorted(words.keys() - known)
        if unknown:
            raise ValueError(f"unknown faults: {', '.join(unknown)}")
        for name, value in words.items():
            setattr(self._faults, name, value)
        return asdict(self._faults)

    async def replay(self, words: Json) -> None:
        """Give every update so many times more, confirmed or not."""
        self._world.updates.replays = words["times"]

    async def polling(self, words: Json) -> None:
        """Returns when a long poll waits for updates."""
        async with asyncio.timeout(words["seconds"]):
            await self._world.updates.polling.wait()

    async def pending(self, _: Json) -> int:
        return self._world.updates.pending_count

    async def messages(self, words: Json) -> list[Json]:
        """The chat as its people see it, once the bot wrote `at_least` messages."""
        chat = self._world.meet(words["chat"])
        bot_id = self._world.me["id"]

        def enough() -> bool:
            written = [m for m in chat.messages.values() if m["from"]["id"] == bot_id]
            return len(written) >= int(words.get("at_least", 0))

        async with asyncio.timeout(words.get("seconds", 10)):
            async with self._world.changed:
                await self._world.changed.wait_for(enough)
        return list(chat.messages.values())
