"""How gunicorn runs the API, by itself and under `manage.py serve`."""

import logging
import os
import signal
import socket
import struct
import sys
import threading
from typing import Any

from gunicorn import util

from taskapi import multiprocess

STALLED_CLIENT_SECONDS = 5
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)
closers = threading.BoundedSemaphore(100)
close_graceful = util.close_graceful


def whole(name: str, default: int, *, most: int = 1000) -> int:
    value = os.environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and 1 <= int(value) <= most):
        sys.exit(
            f"taskapi: {name} must be a whole number from 1 to {most}, not {value!r}"
        )
    return int(value)


host = os.environ.get("HOST") or "127.0.0.1"
port = whole("PORT", 8000, most=65535)
bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

shared_memory = bool(os.environ.get("REDIS_URL"))
worker_class = "gthread"
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
keepalive = 5
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
    """Keep clients that stall from holding the worker up."""
    # Each connection takes over this limit on a read from the listening socket.
    limit = struct.pack("ll", STALLED_CLIENT_SECONDS, 0)
    for listener in worker.sockets:
        listener.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, limit)
    # Gunicorn waits up to two seconds for a client to close its end, and would do so
    # in its main loop: a client every two seconds stops all others.
    util.close_graceful = close_aside


def close_aside(client: socket.socket) -> None:
    if closers.acquire(blocking=False):
        threading.Thread(target=wait_and_close, args=[client], daemon=True).start()
    else:
        client.close()


def wait_and_close(client: socket.socket) -> None:
    try:
        close_graceful(client)
    finally:
        closers.release()
