"""A server that fails on demand."""

import asyncio
import socket
import struct
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager, suppress
from threading import Thread
from typing import Any

SLOW_SECONDS = 0.06
HANG_UP = struct.pack("ii", 1, 0)  # SO_LINGER: closing sends a reset


class FaultProxy:
    """A loopback port before a server. Its `mode` is

    ok (passes everything on), slow (the same, late), mute (accepts and never answers),
    reset (hangs up on everybody) or refuse (nobody listens).
    """

    def __init__(self, target: str | tuple[str, int]) -> None:
        self.target, self.mode, self.port = target, "ok", 0
        self.pipes: set[asyncio.StreamWriter] = set()
        self.loop = asyncio.new_event_loop()
        self.thread = Thread(target=self.loop.run_forever, daemon=True)
        self.thread.start()
        self.do(self.listen())

    def become(self, mode: str) -> None:
        self.do(self.change(mode))

    def close(self) -> None:
        self.become("refuse")
        self.do(self.end())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join()
        self.loop.close()

    def do(self, work: Coroutine[Any, Any, None]) -> None:
        asyncio.run_coroutine_threadsafe(work, self.loop).result(10)

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port)
        self.port = self.server.sockets[0].getsockname()[1]

    async def change(self, mode: str) -> None:
        was, self.mode = self.mode, mode
        if mode == "refuse" and was != "refuse":
            self.server.close()
        elif was == "refuse" and mode != "refuse":
            await self.listen()
        if mode in {"refuse", "reset"} or was == "mute":
            self.hang_up()
            await asyncio.sleep(0.05)  # for the tasks of the connections to end

    def hang_up(self) -> None:
        for pipe in list(self.pipes):
            end = pipe.get_extra_info("socket")
            with suppress(OSError):  # it is closed already
                end.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, HANG_UP)
            pipe.transport.abort()

    async def end(self) -> None:
        """Wait until every connection is closed, also those that just came."""
        tasks = asyncio.all_tasks() - {asyncio.current_task()}
        for task in tasks:
            task.cancel()
        while tasks:
            self.hang_up()
            _, tasks = await asyncio.wait(tasks, timeout=0.01)
        self.hang_up()
        await asyncio.sleep(0.05)  # a transport is closed by a later call of the loop

    async def serve(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):  # nobody listens there
            async with self.held(writer):
                there, back = await self.connect()
                async with self.held(back):
                    if self.mode in {"reset", "refuse"}:
                        self.hang_up()
                    await asyncio.gather(
                        self.pump(reader, back), self.pump(there, writer)
                    )

    @asynccontextmanager
    async def held(self, pipe: asyncio.StreamWriter) -> AsyncIterator[None]:
        """Closed afterwards, whatever happens; hung up on until then."""
        self.pipes.add(pipe)
        try:
            yield
        finally:
            pipe.close()
            with suppress(OSError):
                await pipe.wait_closed()
            self.pipes.discard(pipe)

    async def connect(self) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
        if isinstance(self.target, str):
            return await asyncio.open_unix_connection(self.target)
        return await asyncio.open_connection(*self.target)

    async def pump(
        self, source: asyncio.StreamReader, sink: asyncio.StreamWriter
    ) -> None:
        with suppress(OSError):
            while data := await source.read(65536):
                if self.mode == "slow":
                    await asyncio.sleep(SLOW_SECONDS / 2)  # there and back
                if self.mode != "mute":
                    sink.write(data)
        sink.close()
