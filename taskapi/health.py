"""Is it alive, is it ready: for load balancers and people, without a token."""

import time
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as TooSlow
from typing import Any

from django.conf import settings
from django.core.cache import cache
from django.db import Error, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.http import require_safe

from taskapi.errors import RETRY_AFTER_SECONDS

PROBE_SECONDS = 1.0
prober = ThreadPoolExecutor(2, thread_name_prefix="probe")


def database_state() -> str:
    """`ok`, or `down` if it does not answer within a second."""
    try:
        prober.submit(ask_database).result(PROBE_SECONDS)
    except (Error, TooSlow):
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
    stamp = str(time.time_ns())
    cache.set("health", stamp, 10)
    return "ok" if cache.get("health") == stamp else "down"


def state() -> tuple[dict[str, Any], bool]:
    database = database_state()
    is_up = database == "ok"
    status = "ok" if is_up else "down"
    return {"status": status, "database": database, "cache": cache_state()}, is_up


@require_safe
def health(request: HttpRequest) -> HttpResponse:
    report, is_up = state()
    response = JsonResponse(report, status=200 if is_up else 503)
    if not is_up:
        response["Retry-After"] = str(RETRY_AFTER_SECONDS)
    return response


@require_safe
def livez(request: HttpRequest) -> HttpResponse:
    return JsonResponse({"status": "ok"})


readyz = health
