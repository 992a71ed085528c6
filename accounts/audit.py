"""Logs security events with the user, the session and the client address.

The formatter adds the request id. Never pass a password, a token or a body.
"""

import logging
from typing import Any
from uuid import UUID

from django.http import HttpRequest

from taskapi.api.addresses import client_address

logger = logging.getLogger("accounts.audit")


def record(
    event: str,
    request: HttpRequest | None = None,
    *,
    user_id: UUID | None = None,
    session_id: UUID | None = None,
    **facts: Any,
) -> None:
    address = client_address(request) if request else None
    subject = {"userId": user_id, "sessionId": session_id, "address": address}
    logger.info(event, extra={"event": event} | subject | facts)
