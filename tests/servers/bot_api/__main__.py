"""python -m tests.servers.bot_api --journal FILE [--port 0] [--token ID:SECRET]."""

from __future__ import annotations

import asyncio

from tests.servers.bot_api.server import serve
from tests.servers.life import server_arguments


def main() -> None:
    parser = server_arguments("Bot API emulator with a journal")
    parser.add_argument("--token", required=True, help="NUMBER:SECRET")
    arguments = parser.parse_args()
    asyncio.run(serve(arguments))


if __name__ == "__main__":
    main()
