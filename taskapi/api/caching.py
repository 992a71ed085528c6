"""List responses, cached under the revision of the data that they show.

The revision moves in the transaction that writes, and is read from the database with
each request, so a cached body is either current or not used. Losing the cache loses
time and nothing else.
"""

from contextlib import suppress
from hashlib import blake2b
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from django_redis import get_redis_connection
from redis.exceptions import RedisError
from rest_framework.request import Request

from taskapi.api.preconditions import is_not_modified
from taskapi.api.query_params import raw_query_string

# A page of long texts is not worth the room: each query caches another page.
MAX_CACHED_BYTES = 65_536
# Private to the user, and revalidated before each use.
CACHE_HEADERS = {"Cache-Control": "private, no-cache"}


class CachedList:
    """The cached response to one user's list request.

    `version` names the shape of the items: a new release reads no entries of the old.
    """

    def __init__(self, request: Request, version: str) -> None:
        self.request: Any = request._request
        user_id = request.user.pk
        question = f"{user_id} {self.request.path}?{raw_query_string(request)}"
        # With the user: lists of two users at one URL never match each other's tag.
        self.digest = digest(question.encode())
        self.key = f"taskapi:list:{version}:{user_id}:{self.digest}"
        self.etag_prefix = f'W/"{version}'

    def etag(self, revision: int) -> str:
        return f'{self.etag_prefix}-{revision}-{self.digest}"'

    def load(self, revision: int) -> bytes | None:
        """The body that was stored at this revision, if it is still there."""
        stored_revision, body = parse_entry(self.read())
        return body if stored_revision == revision else None

    def read(self) -> Any:
        # The rate limit's round trip may have brought it (accounts.throttles).
        prefetched = getattr(self.request, "prefetched", {})
        if self.key in prefetched:
            return prefetched[self.key]
        if not settings.REDIS_URL:
            return cache.get(self.key)
        with suppress(RedisError):
            return get_redis_connection("default").get(self.key)
        return None

    def store(self, revision: int, body: bytes) -> None:
        if len(body) > MAX_CACHED_BYTES:
            return
        value, seconds = b"%d %s" % (revision, body), settings.LIST_CACHE_SECONDS
        if not settings.REDIS_URL:
            cache.set(self.key, value, seconds)
            return
        with suppress(RedisError):
            get_redis_connection("default").set(self.key, value, ex=seconds)


def parse_entry(entry: Any) -> tuple[int | None, bytes]:
    """Revision and body of a cache entry; (None, b"") for anything malformed."""
    if isinstance(entry, bytes):
        revision, space, body = entry.partition(b" ")
        if space and revision.isdigit():
            return int(revision), body
    return None, b""


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=9).hexdigest()


def json_response(request: Request, body: bytes, etag: str) -> HttpResponse:
    """200 with the body, or 304 where the client has it."""
    headers = CACHE_HEADERS | {"ETag": etag}
    if is_not_modified(request._request, etag):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body, content_type="application/json", headers=headers)
