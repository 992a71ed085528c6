"""Values that clients keep for the server, and can neither read nor change."""

import json
import re
import zlib
from base64 import b64decode, urlsafe_b64encode
from contextlib import suppress
from functools import cache
from hashlib import sha512
from typing import Any

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings

# What `seal` writes, for the OpenAPI description; opaque to clients.
SEALED = r"^[A-Za-z0-9_-]{22,8192}$"


class BadSealError(Exception):
    """The text was not sealed here, or for something else."""


def seal(value: Any, bound: str) -> str:
    """JSON as URL-safe text, encrypted and authenticated with AES-SIV (RFC 5297).

    It opens with the same `bound` only. Equal values give equal texts, so that what
    contains them may have a strong tag.
    """
    data = zlib.compress(json.dumps(value, separators=(",", ":")).encode())
    sealed = cipher(settings.SECRET_KEY).encrypt(data, [bound.encode()])
    return urlsafe_b64encode(sealed).rstrip(b"=").decode()


def unseal(text: str, bound: str) -> Any:
    """BadSealError."""
    if not re.fullmatch(SEALED, text):
        raise BadSealError
    try:
        padded = text + "=" * (-len(text) % 4)
        sealed = b64decode(padded, altchars=b"-_", validate=True)
    except ValueError as error:
        raise BadSealError from error
    for key in [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]:
        with suppress(InvalidTag):
            data = cipher(key).decrypt(sealed, [bound.encode()])
            return json.loads(zlib.decompress(data))
    raise BadSealError


@cache
def cipher(key: str) -> AESSIV:
    return AESSIV(sha512(f"taskapi.sealed {key}".encode()).digest())
