"""The WSGI application behind an asynchronous server.

The event loop receives each request body whole and sends each response; Django runs in
a pool of WEB_THREADS threads. A slow client occupies no thread and no database
connection.
"""

import asyncio
import gc
from collections.abc import Awaitable, Callable
from concurrent.futures import Future, ThreadPoolExecutor
from io import BytesIO
from typing import Any

from django.conf import settings

from taskapi.http.environ import Environ, Refusal, check_head, make_environ
from taskapi.http.request_body import (
    LARGE_BODY_BYTES,
    BodyReceiver,
    Message,
    Receive,
)
from taskapi.http.text_size import MAX_TEXT_FACTOR, text_bytes
from taskapi.http.wsgi_response import Response, respond
from taskapi.wsgi import application as wsgi_application

Send = Callable[[Message], Awaitable[None]]

# Each has a thread of its own: /livez waits neither for busy threads nor for a check of
# the database.
PROBES = ("/livez", "/readyz", "/health")


def is_large(body: bytes) -> bool:
    """Whether a body, or its text in memory, has more than LARGE_BODY_BYTES."""
    if len(body) * MAX_TEXT_FACTOR <= LARGE_BODY_BYTES:
        return False
    return len(body) > LARGE_BODY_BYTES or text_bytes(body) > LARGE_BODY_BYTES


class Application:
    """An ASGI application that runs a WSGI application in threads."""

    def __init__(self, wsgi: Any, threads: int) -> None:
        self.wsgi = wsgi
        self.pool = ThreadPoolExecutor(threads, thread_name_prefix="request")
        self.probes = {path: ThreadPoolExecutor(1, f"probe {path}") for path in PROBES}
        self.finished_calls = 0  # in threads
        self.bodies = BodyReceiver()
        self.large_bodies = asyncio.Semaphore()

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            raise NotImplementedError(scope["type"])
        await self.send(await self.answer(scope, receive), send)

    async def answer(self, scope: Message, receive: Receive) -> Response:
        """The response. Nothing is kept of the request's body while it is sent."""
        environ, body, size = make_environ(scope), BytesIO(), 0
        try:
            try:
                check_head(environ, scope["raw_path"])
                await self.bodies.receive(environ, receive, body)
            except Refusal as refusal:
                environ["taskapi.refusal"] = refusal.args
                # Nobody reads it, so it need not wait for other large bodies.
                self.bodies.release(body.tell())
                body = BytesIO()
            finally:
                size = body.tell()
            # Makes the buffer as large as the body, and a read of all of it no copy.
            large = is_large(body.getvalue())
            body.seek(0)
            environ["wsgi.input"], environ["CONTENT_LENGTH"] = body, str(size)
            if large:
                return await self.answer_large(environ, body)
            if probe := self.probes.get(environ["PATH_INFO"]):
                loop = asyncio.get_running_loop()
                return await loop.run_in_executor(probe, respond, self.wsgi, environ)
            return await self.respond(environ)
        finally:
            self.bodies.release(size)

    async def answer_large(self, environ: Environ, body: BytesIO) -> Response:
        """One at a time: what is parsed takes several times the memory of its text."""
        async with self.large_bodies:
            answering = asyncio.ensure_future(self.respond_and_collect(environ, body))
            try:
                return await asyncio.shield(answering)
            except asyncio.CancelledError:
                # The client has left, but the memory is in use until it is done.
                await asyncio.wait([answering])
                self.close_unsent(answering)
                raise

    async def respond_and_collect(self, environ: Environ, body: BytesIO) -> Response:
        response = await self.respond(environ)
        body.close()
        if not response.is_stream:
            # Views and requests refer to each other: the values of the body would stay
            # until the garbage collector comes across them.
            environ.clear()
            await self.run(gc.collect)
        return response

    async def respond(self, environ: Environ) -> Response:
        """Have a thread call the application. If the client leaves meanwhile, the
        response is closed as soon as it is there.
        """
        future = self.pool.submit(respond, self.wsgi, environ)
        try:
            return await asyncio.wrap_future(future)
        except asyncio.CancelledError:
            future.add_done_callback(self.close_unsent)
            raise
        finally:
            self.finished_calls += 1

    def close_unsent(self, future: Future[Response] | asyncio.Task[Response]) -> None:
        if not future.cancelled() and future.result().is_stream:
            self.pool.submit(future.result().close)

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        loop = asyncio.get_running_loop()
        try:
            return await loop.run_in_executor(self.pool, function, *arguments)
        finally:
            self.finished_calls += 1

    async def send(self, response: Response, send: Send) -> None:
        """One piece at a time: the next is made when the client has taken the last."""
        try:
            await send(response.head())
            while response.has_more:
                await send(response.piece())
                await self.run(response.make_next_piece)
            await send(response.piece())
        finally:
            if response.is_stream:
                self.pool.submit(response.close)


application = Application(wsgi_application, settings.WEB_THREADS)
