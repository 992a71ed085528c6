"""What a sync token says: up to which revisions its holder has followed changes.

A round reads what was written between two revisions of each space: those of the last
round's end, and those at its start. Its pages stop at a position. The token is sealed:
revisions of others would tell how much they do elsewhere.
"""

from base64 import b64decode, b64encode
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Self
from uuid import UUID

from django.conf import settings
from rest_framework.exceptions import APIException, ValidationError

from taskapi.api.sealed import BadSealError, seal, unseal

FORMAT = 1
NOTHING = -1  # every revision is later
NO_ID = UUID(int=0)
# After a restore to an older moment revisions go on a million later (operations.md).
# Whoever is so far behind by other ways is better off with a new start, too.
MAX_BEHIND = 1_000_000


class SyncExpired(APIException):
    status_code = 410
    error_code = "SYNC_EXPIRED"
    default_detail = (
        "This token is older than what is kept of changes. Drop all that you have, and "
        "start anew without `since`."
    )


class UnknownToken(ValidationError):
    def __init__(self) -> None:
        message = "This is no nextToken that you were given."
        super().__init__({"since": [message]}, "invalid")


def kept() -> timedelta:
    """How long a token is good: what is destroyed is in the trash as long, or leaves a
    tombstone for so long.
    """
    return timedelta(days=settings.TRASH_RETENTION_DAYS)


@dataclass(frozen=True)
class Window:
    """What is read: what was written after one revision until another."""

    after: int
    until: int

    @property
    def is_empty(self) -> bool:
        return self.until <= self.after

    def next(self, revision: int) -> "Window":
        """From the end of this one; SyncExpired if time went backwards meanwhile."""
        behind = revision - self.until
        if behind < 0 or (self.until > NOTHING and behind >= MAX_BEHIND):
            raise SyncExpired
        return Window(self.until, revision)


START = Window(NOTHING, NOTHING)


@dataclass(frozen=True, order=True)
class Position:
    """The last row of a page: in the order in which a round goes."""

    stage: int = 0
    branch: int = 0
    # Of the sources of a stage: the own space is 0, its restored projects are 1, those
    # that are followed by themselves are 2.
    group: int = 0
    source: UUID = NO_ID
    revision: int = NOTHING
    key: int = 0


@dataclass(frozen=True)
class State:
    # When the windows' lower ends were current, and their upper ends.
    since: datetime
    started: datetime
    own: Window = START
    projects: dict[UUID, Window] = field(default_factory=dict)
    # None between two rounds.
    position: Position | None = None

    @classmethod
    def new(cls, now: datetime) -> Self:
        return cls(since=now, started=now)

    def require_kept(self, now: datetime) -> None:
        if self.since < now - kept():
            raise SyncExpired

    def finished(self) -> Self:
        return replace(self, since=self.started, position=None)

    def encode(self, principal_id: UUID) -> str:
        return seal(b64encode(pack(self)).decode(), bound(principal_id))

    @classmethod
    def decode(cls, token: str, principal_id: UUID) -> "State":
        """UnknownToken, also for another principal's."""
        try:
            return unpack(b64decode(unseal(token, bound(principal_id))))
        except BadSealError as error:
            raise UnknownToken from error


def bound(principal_id: UUID) -> str:
    return f"sync {FORMAT} {principal_id}"


def pack(state: State) -> bytes:
    """Numbers of seven bits a byte, ids of 16 bytes: a hundred projects are 3 KB."""
    at = state.position
    started = int(state.started.timestamp())
    parts = [
        number(started),
        number(started - int(state.since.timestamp())),
        window(state.own),
        number(len(state.projects)),
        *(pk.bytes + window(each) for pk, each in state.projects.items()),
    ]
    if at:
        parts += map(number, (at.stage, at.branch, at.group, at.revision + 1))
        parts += [at.source.bytes, at.key.to_bytes(16, "big")]
    return b"".join(parts)


def window(of: Window) -> bytes:
    return number(of.after + 1) + number(of.until - of.after)


def number(value: int) -> bytes:
    groups = [value & 127]
    while value := value >> 7:
        groups.append(value & 127 | 128)
    return bytes(reversed(groups))


class Reader:
    def __init__(self, packed: bytes) -> None:
        self.bytes: Iterator[int] = iter(packed)
        self.left = len(packed)

    def number(self) -> int:
        value = 0
        while True:
            byte = self.take()
            value = value << 7 | byte & 127
            if byte < 128:
                return value

    def take(self) -> int:
        self.left -= 1
        return next(self.bytes)

    def id(self) -> UUID:
        return UUID(bytes=bytes(self.take() for _ in range(16)))

    def window(self) -> Window:
        after = self.number() - 1
        return Window(after, after + self.number())


def unpack(packed: bytes) -> State:
    """Of bytes that were sealed."""
    read = Reader(packed)
    started = read.number()
    since = started - read.number()
    own = read.window()
    projects = {read.id(): read.window() for _ in range(read.number())}
    position = None
    if read.left:
        stage, branch, group, revision = (read.number() for _ in range(4))
        source, key = read.id(), read.id().int
        position = Position(stage, branch, group, source, revision - 1, key)
    return State(moment(since), moment(started), own, projects, position)


def moment(seconds: int) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
