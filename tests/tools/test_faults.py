"""The proxy that fails on demand leaves no connection open, which pytest would find."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import closing, suppress
from threading import Event

import pytest

from tests.live.faults import FaultProxy

SECONDS = 10


class Stuck(FaultProxy):
    """Never gets through to its server."""

    def __init__(self) -> None:
        self.connecting = Event()
        super().__init__(("127.0.0.1", 0))

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        self.connecting.set()
        await asyncio.Event().wait()
        raise AssertionError


@pytest.fixture
def nobody() -> Iterator[int]:
    """A port at which nobody listens."""
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        yield int(bound.getsockname()[1])


def is_over(client: socket.socket) -> bool:
    with suppress(ConnectionResetError):
        return client.recv(1) == b""
    return True


def client_of(proxy: FaultProxy) -> socket.socket:
    return socket.create_connection(("127.0.0.1", proxy.port), SECONDS)


def test_client_is_left_when_the_server_is_away(nobody: int) -> None:
    with (
        closing(FaultProxy(("127.0.0.1", nobody))) as proxy,
        client_of(proxy) as client,
    ):
        assert is_over(client)


def test_clients_who_just_came_are_left_at_the_end() -> None:
    proxy = Stuck()
    with client_of(proxy) as client:
        assert proxy.connecting.wait(SECONDS)
        proxy.close()

        assert is_over(client)
