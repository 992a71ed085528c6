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

from taskapi.api.cache_keys import prefixed
from taskapi.api.preconditions import is_not_modified

# A page of long texts is not worth the room: each query caches another page.
MAX_CACHED_BYTES = 65_536
# Private to the user, and revalidated before each use.
CACHE_HEADERS = {"Cache-Control": "private, no-cache"}


class CachedList:
    """The cached response to one principal's list request.

    `version` names the shape of the items: a new release reads no entries of the old.
    `state` changes with everything that the list shows; it is the user's revision where
    the list shows nothing but what is the user's own.
    """

    def __init__(self, request: Request, version: str, state: str = "") -> None:
        user: Any = request.user
        self.request, self.state = request._request, state or str(user.revision)
        query = self.request.META.get("QUERY_STRING", "")
        # Lists of two principals at one URL never match each other's tag.
        principal = user.token_id or user.pk
        name = digest(f"{principal} {self.request.path}?{query}".encode())
        self.key = prefixed(f"list:{version}:{principal}:{name}")
        self.etag = f'W/"{version}-{self.state}-{name}"'

    def load(self) -> bytes | None:
        """The body that was stored at this state, if it is still there."""
        # The rate limit's round trip may have brought it (accounts.throttles).
        prefetched: dict[str, Any] = getattr(self.request, "prefetched", {})
        if self.key in prefetched:
            entry = prefetched[self.key]
        elif settings.REDIS_URL:
            entry = None
            with suppress(RedisError):
                entry = get_redis_connection("default").get(self.key)
        else:
            entry = cache.get(self.key)
        prefix = self.state.encode() + b" "
        is_current = isinstance(entry, bytes) and entry.startswith(prefix)
        return entry[len(prefix) :] if is_current else None

    def store(self, body: bytes) -> None:
        if len(body) > MAX_CACHED_BYTES:
            return
        value = self.state.encode() + b" " + body
        seconds = settings.LIST_CACHE_SECONDS
        if not settings.REDIS_URL:
            cache.set(self.key, value, seconds)
            return
        with suppress(RedisError):
            get_redis_connection("default").set(self.key, value, ex=seconds)


def digest(data: bytes) -> str:
    return blake2b(data, digest_size=9).hexdigest()


def not_modified(
    request: Request, etag: str, headers: dict[str, str] = CACHE_HEADERS
) -> HttpResponse | None:
    """304 if the client has the representation of this tag."""
    django_request = request._request
    if "HTTP_IF_NONE_MATCH" not in django_request.META:
        return None
    if not is_not_modified(django_request, etag):
        return None
    return HttpResponse(status=304, headers=headers | {"ETag": etag})


def json_response(body: bytes, etag: str) -> HttpResponse:
    headers = CACHE_HEADERS | {"ETag": etag}
    return HttpResponse(body, content_type="application/json", headers=headers)
