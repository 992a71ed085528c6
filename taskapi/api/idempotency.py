"""A retried POST writes once (draft-ietf-httpapi-idempotency-key-header).

The claim of the key, the write and the stored response commit atomically. The claim is
a unique row, inserted before any other lock is taken: a second request with the key
waits for it, and then finds the response of the first, or makes the claim itself.
"""

import hashlib
import json
import re
from collections.abc import Callable
from datetime import timedelta
from functools import cache
from typing import Any, cast
from uuid import UUID

from django.apps import apps
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import OperationalError, connection, transaction
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.exceptions import APIException, ValidationError
from rest_framework.request import Request

from taskapi.api import idempotency_allowance
from taskapi.api.errors import Conflict

HEADER = "Idempotency-Key"
STORED_HEADERS = ("Location", "ETag")
# Quoted, or bare without a quote at its start.
KEY_PATTERN = (
    r'^("[\x20\x21\x23-\x7e]{1,255}"'
    r"|[\x21\x23-\x7e]([\x20-\x7e]{0,253}[\x21-\x7e])?)$"
)
# An expired record is claimed like a new one; a current one returns no row.
CLAIM = """
INSERT INTO {table} (user_id, key, fingerprint, created_at, status, headers, body)
VALUES (%s, %s, %s, %s, 0, '{{}}', '')
ON CONFLICT (user_id, key) DO UPDATE
SET fingerprint = excluded.fingerprint, created_at = excluded.created_at
WHERE {table}.created_at < %s
RETURNING id
"""
LOCK_NOT_AVAILABLE = "55P03"


class KeyReused(APIException):
    status_code = 422
    default_detail = "This Idempotency-Key was sent before with a different request."


class SecretShown(Conflict):
    """The response had a secret, which is shown once."""

    def __init__(self, location: str) -> None:
        super().__init__(
            f"This request was answered with a secret, which is shown only once. If "
            f"it is lost, delete {location or 'what was made'}, and send a new request "
            "with another Idempotency-Key."
        )


class RequestInProgress(APIException):
    status_code = 409
    default_detail = "This request, or another write of yours, is still running."
    headers = {"Retry-After": "1"}


def idempotent(
    request: Request,
    write: Callable[[], HttpResponse],
    require_shown: Callable[[Any], None] | None = None,
    *,
    has_secret: bool = False,
) -> HttpResponse:
    """The response of `write`, or the stored one if the request was answered before.

    An exception from `write` stores nothing: a rejected request may be corrected and
    sent again with its key. `require_shown` gets the JSON of a stored response, and
    raises if the caller may no longer see what it shows. With `has_secret` no body is
    stored, and SecretShown is what a repetition gets.
    """
    key = idempotency_key(request)
    if key is None:
        return write()
    try:
        with transaction.atomic():
            return write_once(request, key, write, require_shown, has_secret=has_secret)
    except OperationalError as error:
        if getattr(error.__cause__, "sqlstate", "") == LOCK_NOT_AVAILABLE:
            raise RequestInProgress from error
        raise


def idempotency_key(request: Request) -> str | None:
    value: str | None = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if value is None:
        return None
    # A structured-field string; most clients send the bare form.
    key = value[1:-1] if re.fullmatch(r'"[^"]*"', value) else value
    if not re.fullmatch(r"[\x20-\x7e]{1,255}", key):
        raise ValidationError({HEADER: ["Send 1 to 255 printable ASCII characters."]})
    return key


def write_once(
    request: Request,
    key: str,
    write: Callable[[], HttpResponse],
    require_shown: Callable[[Any], None] | None,
    *,
    has_secret: bool,
) -> HttpResponse:
    key = key_of(request, key)
    digest = fingerprint(request)
    claim_id = claim(request, key, digest)
    if claim_id is None:
        # An account that was erased since the request was authenticated has no answers.
        get_user_model()._default_manager.only("pk").get(pk=cast(UUID, request.user.pk))
        record = records().get(user_id=request.user.pk, key=key)
        if record.fingerprint != digest:
            raise KeyReused
        if has_secret:
            raise SecretShown(record.headers.get("Location", ""))
        if require_shown and record.body:
            require_shown(json.loads(record.body))
        return stored_response(record, {"Idempotency-Replayed": "true"})
    response = write()
    idempotency_allowance.use(request.user.pk, len(response.content))
    records().filter(pk=claim_id).update(
        status=response.status_code,
        headers={k: response[k] for k in STORED_HEADERS if k in response},
        body="" if has_secret else response.content.decode(),
    )
    return response


def key_of(request: Request, key: str) -> str:
    """The key as it is stored: personal tokens have keys of their own."""
    user: Any = request.user
    if user.token_id is None:
        return key
    # No key that is sent has a tab in it.
    return f"{user.token_id}\t{hashlib.sha256(key.encode()).hexdigest()}"


def fingerprint(request: Request) -> str:
    body = json.dumps(request.data, sort_keys=True)
    return hashlib.sha256(
        # Ids may come in capitals; nothing else in a path has a case.
        f"{request.method} {request.path.lower()} {body}".encode()
    ).hexdigest()


def claim(request: Request, key: str, digest: str) -> int | None:
    """The id of the new or expired record of this key; None if there is a current one.

    Waits for a transaction that has claimed the same key.
    """
    now = timezone.now()
    expired = now - timedelta(hours=settings.IDEMPOTENCY_HOURS)
    adapt = connection.ops.adapt_datetimefield_value
    user_id = (
        records()
        .model._meta.get_field("user")
        .get_db_prep_value(request.user.pk, connection)
    )
    with connection.cursor() as cursor:
        cursor.execute(
            CLAIM.format(table=records().model._meta.db_table),
            [user_id, key, digest, adapt(now), adapt(expired)],
        )
        row = cursor.fetchone()
    return row[0] if row else None


@cache
def record_model() -> Any:
    return apps.get_model(settings.IDEMPOTENCY_MODEL)


def records() -> Any:
    return record_model()._default_manager


def stored_response(record: Any, headers: dict[str, str]) -> HttpResponse:
    return HttpResponse(
        record.body,
        content_type="application/json",
        status=record.status,
        headers=record.headers | headers,
    )
