"""A retried POST writes once (draft-ietf-httpapi-idempotency-key-header).

Claim, write and stored answer are one transaction, ordered per user by the user's row:
whatever dies, either all three are there or none, and of N at once one writes and the
others find its answer.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from typing import cast
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import OperationalError, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from tasks.models import StoredAnswer

HEADER = "Idempotency-Key"
KEPT_HEADERS = ("Location", "ETag")
# Quoted, or bare without a quote at its start.
KEY_PATTERN = (
    r'^("[\x20\x21\x23-\x7e]{1,255}"'
    r"|[\x21\x23-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?)$"
)


class KeyReused(Exception):
    """The key came before with another request."""


class KeyInUse(Exception):
    """A request with this key, or another write of the user, still runs."""


def once(request: Request, write: Callable[[], HttpResponse]) -> HttpResponse:
    """The answer of `write`, or the stored one if the request was answered before.

    An exception from `write` leaves nothing behind, so a refused request may be
    mended and sent again with its key.
    """
    key = key_of(request)
    if key is None:
        return write()
    with transaction.atomic():
        hold_user(request)
        if stored := find(request, key):
            return replay(stored, fingerprint(request))
        return store(request, key, write())


def key_of(request: Request) -> str | None:
    value: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if value is None:
        return None
    # A structured-field string; the bare form is what most clients send.
    key = value[1:-1] if re.fullmatch(r'"[^"]*"', value) else value
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise ValidationError({HEADER: ["Send 1 to 255 printable ASCII characters."]})
    return key


def owner(request: Request) -> UUID:
    return cast(UUID, request.user.pk)


def fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True)
    return hashlib.sha256(
        f"{request.method} {request.path} {body}".encode()
    ).hexdigest()


def hold_user(request: Request) -> None:
    try:
        get_user_model()._default_manager.lock(owner(request))
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == "55P03":  # lock_not_available
            raise KeyInUse from error
        raise


def find(request: Request, key: str) -> StoredAnswer | None:
    stored = StoredAnswer.objects.filter(user_id=owner(request), key=key).first()
    kept_since = timezone.now() - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    if stored and stored.created_at < kept_since:
        stored.delete()
        return None
    return stored


def replay(stored: StoredAnswer, request_fingerprint: str) -> HttpResponse:
    if stored.fingerprint != request_fingerprint:
        raise KeyReused
    return answer(stored, {"Idempotency-Replayed": "true"})


def store(request: Request, key: str, response: HttpResponse) -> HttpResponse:
    stored = StoredAnswer.objects.create(
        user_id=owner(request),
        key=key,
        fingerprint=fingerprint(request),
        status=response.status_code,
        headers={k: response[k] for k in KEPT_HEADERS if k in response},
        body=response.content.decode(),
        created_at=timezone.now(),
    )
    return answer(stored, {})


def answer(stored: StoredAnswer, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(
        stored.body,
        content_type="application/json",
        status=stored.status,
        headers=stored.headers | headers,
    )
