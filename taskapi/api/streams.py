"""Long answers that are sent in pieces: how many at once, and how large a piece is.

Each holds memory and a connection for as long as its client reads, and costs a thread's
time for each piece; so a user, and a worker, have a limited number of them.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from threading import RLock
from typing import Any

from django.conf import settings
from django.http import StreamingHttpResponse
from rest_framework.exceptions import APIException

PIECE_CHARACTERS = 32 * 1024


class TooManyStreams(APIException):
    status_code = 429
    default_detail = "Too many exports are running; read them to their end first."
    headers = {"Retry-After": "5"}


class StreamLimit:
    """The streams that this process is sending, by user."""

    def __init__(self) -> None:
        self.running = Counter[Any]()
        # The collector may close a stream in the thread that holds the lock.
        self.lock = RLock()

    def acquire(self, user_id: Any) -> None:
        """Raise TooManyStreams for one stream too many."""
        with self.lock:
            is_full = self.running.total() >= settings.MAX_STREAMS
            if is_full or self.running[user_id] >= settings.MAX_STREAMS_PER_USER:
                raise TooManyStreams
            self.running[user_id] += 1

    def release(self, user_id: Any) -> None:
        with self.lock:
            self.running[user_id] -= 1
            if not self.running[user_id]:
                del self.running[user_id]


streams = StreamLimit()


class Pieces:
    """The text of one stream in pieces of about PIECE_CHARACTERS.

    Counts against the limit of `user_id` until it is read to its end or closed.
    """

    is_open = False

    def __init__(self, user_id: Any, start: Callable[[], Iterable[str]]) -> None:
        streams.acquire(user_id)
        self.user_id, self.is_open = user_id, True
        try:
            self.source = joined(start())
        except BaseException:
            self.close()
            raise

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        try:
            return next(self.source)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        if self.is_open:
            self.is_open = False
            streams.release(self.user_id)

    __del__ = close


def joined(texts: Iterable[str]) -> Iterator[str]:
    held: list[str] = []
    size = 0
    for text in texts:
        held.append(text)
        size += len(text)
        if size >= PIECE_CHARACTERS:
            yield "".join(held)
            held, size = [], 0
    if held:
        yield "".join(held)


def stream_response(
    user_id: Any, start: Callable[[], Iterable[str]], **options: Any
) -> StreamingHttpResponse:
    """A streamed response of the text that `start` yields; TooManyStreams before it is
    called.
    """
    response = StreamingHttpResponse(Pieces(user_id, start), **options)
    # A proxy that stored it would fill its disk for clients that read slowly.
    response["X-Accel-Buffering"] = "no"
    return response
