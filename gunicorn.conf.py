"""How gunicorn runs the API, by itself and under `manage.py serve`."""

import logging
import os
import signal
import socket
import struct
import sys
from typing import Any

from taskapi import drain, multiprocess
from taskapi.worker import PATIENCE_SECONDS

STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


def whole(name: str, default: int, *, least: int = 1, most: int = 1000) -> int:
    value = os.environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        needs = f"must be a whole number from {least} to {most}"
        sys.exit(f"taskapi: {name} {needs}, not {value!r}")
    return int(value)


host = os.environ.get("HOST") or "127.0.0.1"
port = whole("PORT", 8000, most=65535)
bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

shared_memory = any(os.environ.get(f"REDIS_URL{suffix}") for suffix in ("", "_FILE"))
worker_class = "taskapi.worker.Worker"
workers = whole("WEB_CONCURRENCY", 2 if shared_memory else 1)
threads = whole("WEB_THREADS", 8)
if workers > 1 and not shared_memory:
    sys.exit(
        f"taskapi: WEB_CONCURRENCY={workers} needs REDIS_URL: without it each worker"
        " would count rate limits and cache lists for itself"
    )
# Without Redis a new worker would forget what the rate limits have counted.
max_requests = 10_000 if shared_memory else 0
max_requests_jitter = 1_000 if shared_memory else 0

timeout = 30
graceful_timeout = 30
drain_seconds = whole("DRAIN_SECONDS", 0, least=0, most=600)
keepalive = 5
# It waits for a client that does not read without any limit.
sendfile = False
# It would be a file in the home folder, which a container may not have.
control_socket_disable = True


def is_news(record: logging.LogRecord) -> bool:
    """A stalled client cut off below is everyday business, not an error."""
    return not (record.exc_info and isinstance(record.exc_info[1], BlockingIOError))


accesslog = None  # the application logs each request itself
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "taskapi.logs.JsonFormatter"}},
    "filters": {"is_news": {"()": lambda: is_news}},
    "handlers": {
        "stdout": {
            "class": "logging.StreamHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
            "filters": ["is_news"],
        }
    },
    "root": {"handlers": ["stdout"], "level": "INFO"},
    "loggers": {"gunicorn.error": {"handlers": ["stdout"], "propagate": False}},
}


def on_starting(arbiter: Any) -> None:
    multiprocess.prepare()


def pre_fork(arbiter: Any, worker: Any) -> None:
    others = arbiter.WORKERS.values()
    worker.seat = multiprocess.take_seat(other.seat for other in others)


def child_exit(arbiter: Any, worker: Any) -> None:
    multiprocess.leave(worker.seat)


def when_ready(arbiter: Any) -> None:
    drain.drain_before_stop(drain_seconds)


def pre_request(worker: Any, request: Any) -> None:
    # Clients who keep their connections have to move over to another server as well.
    if drain.is_draining():
        request.force_close()


def post_fork(arbiter: Any, worker: Any) -> None:
    """Let a worker that is told to stop while it starts do so.

    It would forget the signal, and be waited for until `graceful_timeout`: it starts
    with the arbiter's way of taking signals, which is to queue them.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    while not arbiter.SIG_QUEUE.empty():
        if arbiter.SIG_QUEUE.get() in STOP_SIGNALS:
            sys.exit()


def post_worker_init(worker: Any) -> None:
    """Keep clients that stall in the middle from holding threads for ever."""
    # Each connection takes these over from the listening socket. A write that got
    # somewhere is tried again, which triples its limit.
    limits = {socket.SO_RCVTIMEO: PATIENCE_SECONDS, socket.SO_SNDTIMEO: 2}
    for listener in worker.sockets:
        for limit, seconds in limits.items():
            value = struct.pack("ll", seconds, 0)
            listener.sock.setsockopt(socket.SOL_SOCKET, limit, value)
