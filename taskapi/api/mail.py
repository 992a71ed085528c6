"""Sends mail in the background, so that the time of a response reveals nothing."""

import logging
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

from django.db import connection

MAX_WAITING = 100

logger = logging.getLogger(__name__)
mailer = ThreadPoolExecutor(1, thread_name_prefix="mailer")
slots = BoundedSemaphore(MAX_WAITING)


def send_in_background(what: str, send: Callable[..., Any], *args: Any) -> None:
    """Call `send(*args)` in another thread; `what` names the mail in the log."""
    if not slots.acquire(blocking=False):
        logger.error("%s was not mailed: too many are waiting.", what)
        return
    mailer.submit(run, what, send, *args)


def run(what: str, send: Callable[..., Any], *args: Any) -> None:
    try:
        send(*args)
    except Exception:
        logger.exception("%s could not be mailed.", what)
    finally:
        slots.release()
        connection.close()
