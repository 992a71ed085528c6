"""List answers, kept under the owner's revision.

The revision moves in the transaction that writes and is read from the database with
each request, so a cached answer is either current or never used. Losing the cache loses
time, nothing else.
"""

import re
from contextlib import suppress
from functools import cached_property
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.core.cache import cache
from redis.exceptions import RedisError
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from accounts.reading import Asker, redis_client
from taskapi.api.cache_keys import prefixed
from taskapi.api.preconditions import tags
from taskapi.api.query_params import query_of

# Goes up when the shape of the answer changes: a new release reads no old answers.
SHAPE = 2
# Bytes. A page of long texts is not worth the room: any query makes a new one.
MOST_KEPT = 65_536

# Private to the caller, and not used again without asking whether it still holds.
HEADERS = {"Cache-Control": "private, no-cache"}


class Entry:
    """What is kept of the answer to one user's question."""

    def __init__(self, request: Request, asker: Asker) -> None:
        self.request = request._request
        asked = f"{asker.key} {self.request.path}?{query_of(request)}"
        # With the user: lists of two users at one URL are never each other's 304.
        self.what = digest(asked.encode())
        self.key = prefixed(f"list:{SHAPE}:{asker.key}:{self.what}")

    def tag(self, revision: int) -> str:
        return f'W/"{SHAPE}-{revision}-{self.what}"'

    def known(self, kept: bytes | None) -> int | None:
        """The revision of the answer that the cache has or else the client; or None."""
        revision, _ = opened(kept)
        return self.of_client if revision is None else revision

    @cached_property
    def of_client(self) -> int | None:
        # As `tag` writes it: of another spelling there would be no page, and no 304.
        pattern = rf'(?:W/)?"{SHAPE}-(0|[1-9][0-9]{{0,17}})-{self.what}"'
        try:
            sent = tags(self.request, "If-None-Match") or ()
        except ValidationError:
            return None  # for the answer to tell, to a caller who is known
        for tag in sent:
            if found := re.fullmatch(pattern, tag):
                return int(found[1])
        return None

    def keep(self, revision: int, body: bytes) -> None:
        if len(body) > MOST_KEPT:
            return
        value, seconds = b"%d %s" % (revision, body), settings.LIST_CACHE_SECONDS
        if not settings.REDIS_URL:
            cache.set(self.key, value, seconds)
            return
        with suppress(RedisError):
            redis_client().set_unawaited(self.key, value, seconds)


def opened(kept: Any) -> tuple[int | None, bytes]:
    """The revision and body of an entry; none of what is damaged is used."""
    if isinstance(kept, bytes):
        revision, space, body = kept.partition(b" ")
        if space and revision.isdigit():
            return int(revision), body
    return None, b""


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=9).hexdigest()
