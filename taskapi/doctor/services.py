"""Redis and the mail server."""

from collections.abc import Iterator
from urllib.parse import urlsplit

import redis
from django.conf import settings
from django.core.mail import get_connection, send_mail

from taskapi.doctor.findings import Finding

SECONDS = 3
LOCAL_BACKENDS = {"console", "filebased", "dummy", "locmem"}


def check_redis() -> Iterator[Finding]:
    if not settings.REDIS_URL:
        message = "REDIS_URL is not set: one worker, with limits in its own memory"
        yield Finding("redis", "ok", message)
        return
    with redis.Redis.from_url(
        settings.REDIS_URL, socket_connect_timeout=SECONDS, socket_timeout=SECONDS
    ) as client:
        server, memory = client.info("server"), client.info("memory")
    version = server.get("valkey_version") or server.get("redis_version")
    name = "Valkey" if "valkey_version" in server else "Redis"
    where = urlsplit(settings.REDIS_URL)
    place = f"{where.hostname}:{where.port or 6379}" if where.hostname else where.path
    yield Finding("redis", "ok", f"{name} {version} at {place}")
    most = int(memory.get("maxmemory", 0))
    yield judge_eviction(str(memory.get("maxmemory_policy", "unknown")), most)


def judge_eviction(policy: str, max_bytes: int) -> Finding:
    """Whether rate limits are kept when cached lists fill the memory."""
    message = f"maxmemory {max_bytes:,} bytes, maxmemory-policy {policy}"
    if not max_bytes:
        hint = "Set maxmemory, or Redis takes all memory of its machine."
        return Finding("eviction", "warning", message, hint)
    if policy.startswith("allkeys") or policy == "volatile-random":
        reason = "Counters of rate limits are evicted to make room for cached lists."
        hint = f"{reason} Set maxmemory-policy volatile-ttl."
        return Finding("eviction", "warning", message, hint)
    if policy == "noeviction":
        reason = "When it is full, no counter is written and each worker counts alone."
        hint = f"{reason} Set maxmemory-policy volatile-ttl."
        return Finding("eviction", "warning", message, hint)
    return Finding("eviction", "ok", message)


def check_mail(to: str | None) -> Iterator[Finding]:
    kind = settings.EMAIL_BACKEND.split(".")[-2]
    where = f"{settings.EMAIL_HOST}:{settings.EMAIL_PORT}"
    if to:
        send_mail("Test of the Task API", "Mail from the Task API arrives.", None, [to])
        by = f"{where}" if kind not in LOCAL_BACKENDS else f"the backend {kind}"
        message = f"sent one from {settings.DEFAULT_FROM_EMAIL} to {to} by {by}"
        yield Finding("mail", "ok", message)
    elif kind in LOCAL_BACKENDS:
        yield Finding("mail", "ok", f"the backend {kind} sends nothing")
    else:
        mailer = get_connection(timeout=SECONDS)
        mailer.open()
        mailer.close()
        yield Finding("mail", "ok", f"{where} accepts the login; --to sends a mail")
