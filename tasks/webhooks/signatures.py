"""Signs deliveries as Standard Webhooks 1.0 says, with secrets that are not stored.

A secret is derived from a nonce in the webhook's row and SECRET_KEY.
"""

import base64
import hashlib
import hmac
from collections.abc import Iterable

from django.utils.crypto import salted_hmac

PREFIX = "whsec_"


def secret_key(nonce: str) -> bytes:
    return salted_hmac("tasks.webhook", nonce, algorithm="sha256").digest()


def secret(nonce: str) -> str:
    """As it is shown, once."""
    return PREFIX + base64.b64encode(secret_key(nonce)).decode()


def sign(message_id: str, timestamp: int, body: bytes, nonces: Iterable[str]) -> str:
    """The header `webhook-signature`: one signature for each secret that is valid."""
    signed = f"{message_id}.{timestamp}.".encode() + body
    digests = (hmac.new(secret_key(n), signed, hashlib.sha256).digest() for n in nonces)
    return " ".join(f"v1,{base64.b64encode(digest).decode()}" for digest in digests)
