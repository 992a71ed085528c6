"""A clock of its own for one server: that of the machine, and some seconds more."""

import time
from datetime import datetime, tzinfo
from typing import Any

import jwt.api_jwt
from django.utils import timezone
from rest_framework_simplejwt import utils


def shift(seconds: float) -> None:
    """Let Django, SimpleJWT, PyJWT and `time.time` tell a shifted time."""
    real_time = time.time

    class Shifted(datetime):
        @classmethod
        def now(cls, tz: tzinfo | None = None) -> Any:
            return datetime.fromtimestamp(time.time(), tz)

    modules: tuple[Any, ...] = (timezone, utils, jwt.api_jwt)
    for module in modules:
        module.datetime = Shifted
    time.time = lambda: real_time() + seconds
