"""Is it alive, is it ready: for load balancers and people, without a token."""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from functools import wraps
from threading import Lock

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse
from django.views.decorators.csrf import csrf_exempt

from taskapi.api.errors import RETRY_AFTER_SECONDS, error_response
from taskapi.http import graceful_shutdown

View = Callable[[HttpRequest], HttpResponse]

JSON = "application/json"
PROBE_SECONDS = 1.0
MOST_SECONDS_OLD = 1.0
recent: tuple[float, tuple[bytes, bool]] | None = None
checking = Lock()  # many requests at once wait for one check
prober = ThreadPoolExecutor(2, thread_name_prefix="probe")


def database_state() -> str:
    """`ok`, or `down` if it does not answer within a second."""
    answer = prober.submit(ask_database)
    try:
        answer.result(PROBE_SECONDS)
    except (Error, TooSlow):
        answer.cancel()  # else probes would queue up while the database is away
        return "down"
    return "ok"


def ask_database() -> None:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    finally:
        connection.close()


def cache_state() -> str:
    """`ok`, `down`, or `local` where each process has its own."""
    if not settings.REDIS_URL:
        return "local"
    # Always the same value: of two probes at once one reads what the other wrote.
    cache.set("health", 1, 10)
    return "ok" if cache.get("health") else "down"


def state() -> tuple[bytes, bool]:
    database = database_state()
    is_up = database == "ok"
    status = "ok" if is_up else "down"
    return report(status, database=database, cache=cache_state()), is_up


def report(status: str, **parts: str) -> bytes:
    return json.dumps({"status": status} | parts).encode()


ALIVE, DRAINING = report("ok"), report("draining")


def only_read(view: View) -> View:
    """Django's require_safe, with the one error shape."""

    @wraps(view)
    @csrf_exempt  # else a POST got a CSRF error instead of a 405
    def guarded(request: HttpRequest) -> HttpResponse:
        if request.method in {"GET", "HEAD"}:
            return view(request)
        response = error_response(405, f'Method "{request.method}" not allowed.')
        response["Allow"] = "GET, HEAD"
        return response

    return guarded


def recent_state() -> tuple[bytes, bool]:
    """The state, at most one second old: many requests do not load the database and the
    cache that they ask about.
    """
    global recent
    with checking:
        if not recent or recent[0] < time.monotonic() - MOST_SECONDS_OLD:
            found = state()
            # Timed afterwards: who waited for a slow check need not repeat it.
            recent = time.monotonic(), found
        return recent[1]


@only_read
def health(request: HttpRequest) -> HttpResponse:
    return answer(*recent_state())


def answer(body: bytes, is_up: bool) -> HttpResponse:
    if is_up:
        return HttpResponse(body, JSON)
    response = HttpResponse(body, JSON, 503)
    response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@only_read
def livez(request: HttpRequest) -> HttpResponse:
    return answer(ALIVE, True)


@only_read
def readyz(request: HttpRequest) -> HttpResponse:
    if graceful_shutdown.is_draining():
        return answer(DRAINING, False)
    return answer(*recent_state())
