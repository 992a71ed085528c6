"""List answers, kept under the owner's revision.

The revision moves in the transaction that writes and is read from the database with
each request, so a cached answer is either current or never asked for again. Losing the
cache loses time, nothing else.
"""

from collections.abc import Callable
from hashlib import blake2b
from typing import Any, cast

from django.conf import settings
from django.core.cache import cache
from django.http import HttpResponse
from rest_framework.request import Request

from tasks import metrics
from tasks.preconditions import is_unchanged

# Goes up when the shape of the answer changes: a new release reads no old answers.
SHAPE = 1
# Characters. A page of long texts is not worth the room: any query makes a new one.
MOST_KEPT = 65_536

# Private to the caller, and not used again without asking whether it still holds.
HEADERS = {"Cache-Control": "private, no-cache", "Vary": "Authorization"}


def answer(request: Request, render: Callable[[], str]) -> HttpResponse:
    """200 with the list that `render` makes or made, or 304 if the client has it."""
    if "overdue" in request.query_params:
        # Changes as time goes by, without a write: only its content can vouch for it.
        body = render()
        return fresh_or_unchanged(request, f'W/"{digest(body)}"', lambda: body)
    user = cast(Any, request.user)
    # With the user: lists of two users at one URL are never each other's 304.
    what = digest(f"{user.pk} {request.get_full_path()}")
    tag = f'W/"{SHAPE}-{user.revision}-{what}"'
    return fresh_or_unchanged(request, tag, lambda: remembered(request, tag, render))


def fresh_or_unchanged(
    request: Request, tag: str, body: Callable[[], str]
) -> HttpResponse:
    headers = HEADERS | {"ETag": tag}
    if is_unchanged(request._request, tag):
        return HttpResponse(status=304, headers=headers)
    return HttpResponse(body(), content_type="application/json", headers=headers)


def remembered(request: Request, tag: str, render: Callable[[], str]) -> str:
    key = f"list:{request.user.pk}:{tag}"
    body = kept(key)
    (metrics.MISSES if body is None else metrics.HITS).inc()
    if body is None:
        body = render()
        if len(body) <= MOST_KEPT:
            cache.set(key, body, settings.LIST_CACHE_SECONDS)
    return body


def kept(key: str) -> str | None:
    try:
        body = cache.get(key)
    except ValueError:  # damaged: as good as lost
        return None
    return body if isinstance(body, str) else None


def digest(text: str) -> str:
    return blake2b(text.encode(errors="replace"), digest_size=9).hexdigest()
