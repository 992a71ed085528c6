"""Sends what a client would not, and reads whatever comes back."""

import io
import socket
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from http.client import HTTPResponse
from time import monotonic
from typing import cast

from tests.live.corpus import AUTHORIZATION, LENGTH
from tests.live.wire import Answer, request

ANSWER_SECONDS = 8.0
PROBE_ID = "probe"
PROBE = request("GET", "/livez", X_Request_Id=PROBE_ID, Connection="close")


@dataclass(frozen=True)
class Client:
    """What the messages of one client say in the places that are left open."""

    words: dict[str, str]
    authorization: bytes = b""

    def fill(self, message: bytes) -> bytes:
        message = message.replace(AUTHORIZATION, self.authorization)
        for word, text in self.words.items():
            message = message.replace(word.encode(), text.encode())
        head, end, body = message.partition(b"\r\n\r\n")
        return head.replace(LENGTH.encode(), str(len(body)).encode()) + end + body


class Stream(io.BufferedReader):
    """What arrives, through one buffer that no HTTPResponse takes along or closes."""

    def __init__(self, client: socket.socket) -> None:
        super().__init__(socket.SocketIO(client, "r"))

    def makefile(self, mode: str) -> "Stream":
        return self

    def close(self) -> None:
        pass


def send(port: int, message: bytes, then: str) -> list[Answer]:
    """The answer, and what comes after it on a connection that the server keeps.

    That must be the answer to something harmless and no other: else the server and we
    do not agree where the first request ended.
    """
    method = message.partition(b" ")[0].decode("latin-1")
    with socket.create_connection(("127.0.0.1", port), ANSWER_SECONDS) as client:
        write(client, message)
        if then == "is gone":
            return []
        if then == "ends":
            client.shutdown(socket.SHUT_WR)
        stream = Stream(client)
        answers = list(read(stream, method))
        if not answers or closes(answers[0]) or then == "ends":
            return answers
        write(client, PROBE)
        return answers + list(read(stream, "GET", until_end=True))


def write(client: socket.socket, message: bytes) -> None:
    # Refused before all of it was sent: then the answer is there to be read.
    with suppress(OSError):
        client.sendall(message)


def read(stream: Stream, method: str, *, until_end: bool = False) -> Iterator[Answer]:
    """One answer, or all that come."""
    while stream.peek(1):
        started = monotonic()
        with HTTPResponse(cast(socket.socket, stream), method=method) as it:
            it.begin()
            body = it.read()
            headers = dict(it.headers.items())
        yield Answer(it.status, headers, body, monotonic() - started)
        if not until_end:
            return


def closes(answer: Answer) -> bool:
    return answer.headers.get("Connection", "close") == "close"
