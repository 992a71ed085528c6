"""Request bodies that an event loop receives whole before any thread is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from io import BytesIO
from typing import Any

from django.conf import settings

from taskapi.http.environ import Environ, Refusal

TIMEOUT_SECONDS = 5.0  # between two pieces
ROOM_SECONDS = 4.0  # for other bodies to be done with
MAX_HELD_BYTES = 24 * 1024 * 1024  # of all bodies together
LARGE_BODY_BYTES = 1024 * 1024  # is handled alone
# What is larger waits for room earlier, so that small bodies find some nevertheless.
SMALL_BODY_BYTES = 256 * 1024
MAX_HELD_WITH_LARGER_BYTES = 12 * 1024 * 1024


Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


def max_body_bytes(path: str) -> int:
    """How large the body of a request for this path may be."""
    for prefix, max_bytes in settings.MAX_BODY_BYTES_UNDER.items():
        if path.startswith(prefix):
            return min(int(max_bytes), settings.MAX_BODY_BYTES)
    return int(settings.MAX_BODY_BYTES)


class BodyReceiver:
    """Bounds each body, and those of all requests of this process together."""

    def __init__(self) -> None:
        self.held_bytes = 0
        self.released = asyncio.Event()

    async def receive(self, environ: Environ, receive: Receive, body: BytesIO) -> None:
        """Append to `body` all that the client sends, or raise Refusal."""
        is_chunked = environ.pop("HTTP_TRANSFER_ENCODING", None)
        if not is_chunked and "CONTENT_LENGTH" not in environ:
            return
        max_bytes = max_body_bytes(environ["PATH_INFO"])
        check_size(int(environ.get("CONTENT_LENGTH", 0)), max_bytes)
        loop, is_complete = asyncio.get_running_loop(), False
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS) as timeout:
                while not is_complete:
                    is_complete = await self.append(await receive(), body, max_bytes)
                    timeout.reschedule(loop.time() + TIMEOUT_SECONDS)
        except TimeoutError:
            raise Refusal(408, "The body did not arrive in time.") from None

    async def append(self, message: Message, body: BytesIO, max_bytes: int) -> bool:
        """Append one piece; whether it was the last."""
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The request ended before it was complete.")
        piece = message.get("body", b"")
        size = body.tell() + len(piece)
        check_size(size, max_bytes)
        is_small = size <= SMALL_BODY_BYTES
        most = MAX_HELD_BYTES if is_small else MAX_HELD_WITH_LARGER_BYTES
        if self.held_bytes + len(piece) > most:
            await self.wait_for_room(len(piece), most)
        self.held_bytes += len(piece)
        body.write(piece)
        return not message.get("more_body", False)

    async def wait_for_room(self, size: int, most: int) -> None:
        try:
            async with asyncio.timeout(ROOM_SECONDS):
                while self.held_bytes + size > most:
                    self.released.clear()
                    await self.released.wait()
        except TimeoutError:
            message = "Too many bodies are being received; try again."
            raise Refusal(503, message) from None

    def release(self, size: int) -> None:
        self.held_bytes -= size
        self.released.set()


def check_size(size: int, max_bytes: int) -> None:
    if size > max_bytes:
        raise Refusal(413, "The body is too large.")
