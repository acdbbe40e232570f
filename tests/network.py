"""A test contacts nothing but this machine, and can't hide that it tried."""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Callable
from typing import Any

import pytest

NAMES_OF_THIS_MACHINE = frozenset({"", "localhost"})


class ForeignAddress(OSError):
    """A test tried to reach another machine."""


class NetworkGuard:
    """Stands before the socket module; `refused` keeps what was tried."""

    def __init__(self) -> None:
        self.refused: list[str] = []

    def stand(self, patch: pytest.MonkeyPatch) -> None:
        """Put the guard before every way out that Python code can take."""
        for name in ("connect", "connect_ex", "sendto"):
            original = getattr(socket.socket, name)
            patch.setattr(socket.socket, name, self._checking(original))
        patch.setattr(socket, "getaddrinfo", self._resolving(socket.getaddrinfo))

    def _checking(self, original: Callable[..., Any]) -> Callable[..., Any]:
        def checked(sock: socket.socket, *arguments: Any) -> Any:
            # The address is the last argument of sendto, the only one of the others.
            if sock.family in {socket.AF_INET, socket.AF_INET6}:
                self._check(arguments[-1][0])
            return original(sock, *arguments)

        return checked

    def _resolving(self, original: Callable[..., Any]) -> Callable[..., Any]:
        # To look a name up is to ask a server elsewhere.
        def checked(host: Any, *arguments: Any, **options: Any) -> Any:
            if host is not None:
                self._check(host)
            return original(host, *arguments, **options)

        return checked

    def _check(self, host: str | bytes) -> None:
        name = host.decode() if isinstance(host, bytes) else host
        if not is_local(name):
            self.refused.append(name)
            raise ForeignAddress(f"a test may not contact {name}")


def is_local(host: str) -> bool:
    """Whether the host, by name or number, is this machine."""
    if host in NAMES_OF_THIS_MACHINE:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return (mapped or address).is_loopback or address.is_unspecified
