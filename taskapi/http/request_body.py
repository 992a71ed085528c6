"""Request bodies that an event loop receives whole before any thread is needed."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

from taskapi.http.environ import Environ, Refusal

TIMEOUT_SECONDS = 5.0  # between two pieces
MAX_HELD_BYTES = 64 * 1024 * 1024  # of all bodies together

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]


class BodyReceiver:
    """Bounds each body, and those of all requests of this process together."""

    def __init__(self, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self.held_bytes = 0

    async def receive(
        self, environ: Environ, receive: Receive, body: bytearray
    ) -> None:
        """Append to `body` all that the client sends, or raise Refusal."""
        is_chunked = environ.pop("HTTP_TRANSFER_ENCODING", None)
        if not is_chunked and "CONTENT_LENGTH" not in environ:
            return
        self.check_size(int(environ.get("CONTENT_LENGTH", 0)))
        loop, is_complete = asyncio.get_running_loop(), False
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS) as timeout:
                while not is_complete:
                    is_complete = self.append(await receive(), body)
                    timeout.reschedule(loop.time() + TIMEOUT_SECONDS)
        except TimeoutError:
            raise Refusal(408, "The body did not arrive in time.") from None

    def append(self, message: Message, body: bytearray) -> bool:
        """Append one piece; whether it was the last."""
        if message["type"] == "http.disconnect":
            raise Refusal(400, "The request ended before it was complete.")
        piece = message.get("body", b"")
        self.check_size(len(body) + len(piece))
        if self.held_bytes + len(piece) > MAX_HELD_BYTES:
            raise Refusal(503, "Too many bodies are being received; try again.")
        self.held_bytes += len(piece)
        body += piece
        return not message.get("more_body", False)

    def check_size(self, size: int) -> None:
        if size > self.max_bytes:
            raise Refusal(413, "The body is too large.")

    def release(self, body: bytearray) -> None:
        self.held_bytes -= len(body)
