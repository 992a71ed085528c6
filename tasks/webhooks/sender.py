"""Sends one delivery; knows nothing of the database."""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import certifi
import httpcore

from tasks.webhooks.addresses import Network
from tasks.webhooks.connections import Deadline, GuardedBackend

SECONDS = 10.0
MAX_BYTES = 64 * 1024
# Of an answer, which is shown to the webhook's owner.
MAX_EXCERPT_BYTES = 1024


class Failed(Exception):
    """The receiver answered, but did not accept the delivery."""

    def __init__(self, answer: "Answer") -> None:
        super().__init__(f"The receiver answered {answer.status}.")
        self.answer = answer


# Of receivers; anything else is a fault of ours.
ERRORS = (
    Failed,
    httpcore.NetworkError,
    httpcore.TimeoutException,
    httpcore.ProtocolError,
)


@dataclass(frozen=True)
class Answer:
    status: int
    excerpt: str
    # Seconds that it asks to wait, if it does.
    retry_after: float | None = None


@cache
def tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=certifi.where())


def post(
    url: str, headers: dict[str, str], body: bytes, allowed: Iterable[Network]
) -> Answer:
    """Failed for an answer that is not 2xx, redirects included; httpcore's exceptions
    for none within SECONDS.
    """
    deadline = Deadline(SECONDS)
    backend = GuardedBackend(allowed, deadline)
    with (
        httpcore.ConnectionPool(tls(), network_backend=backend) as pool,
        pool.stream("POST", url, headers=[*headers.items()], content=body) as response,
    ):
        answer = Answer(
            response.status, excerpt(response), retry_after(response.headers)
        )
    if not 200 <= answer.status < 300:
        raise Failed(answer)
    return answer


def excerpt(response: httpcore.Response) -> str:
    """The first bytes of the body as text, of which nothing is trusted."""
    found, size = bytearray(), 0
    for chunk in response.iter_stream():
        size += len(chunk)
        found += chunk[: MAX_EXCERPT_BYTES - len(found)]
        if size > MAX_BYTES:
            break
    # PostgreSQL stores no NUL.
    return found.decode(errors="replace").replace("\0", "\ufffd")


def retry_after(headers: list[tuple[bytes, bytes]]) -> float | None:
    """RFC 9110, section 10.2.3: seconds or a date."""
    values = [value for name, value in headers if name.lower() == b"retry-after"]
    text = values[0].decode("ascii", errors="replace") if values else ""
    if text.isdecimal():
        return float(text[:9])
    try:
        date = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = date if date.tzinfo else date.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())
