"""How gunicorn runs the API, by itself and under `manage.py serve`."""

import os
import signal
import sys
from typing import Any

from gunicorn import glogging

from taskapi import env_file
from taskapi.http import allocator, cpu_pinning, graceful_shutdown, logs, worker_slots

# Before any variable is read, here or by the settings that the workers import.
env_file.load()
STOP_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGQUIT)


def integer(name: str, default: int, *, least: int = 1, most: int = 1000) -> int:
    value = os.environ.get(name) or str(default)
    if not (value.isascii() and value.isdigit() and least <= int(value) <= most):
        needs = f"must be a whole number from {least} to {most}"
        sys.exit(f"taskapi: {name} {needs}, not {value!r}")
    return int(value)


def boolean(name: str, default: bool) -> bool:
    value = os.environ.get(name) or str(default)
    if value.lower() not in {"true", "false"}:
        sys.exit(f"taskapi: {name} must be true or false, not {value!r}")
    return value.lower() == "true"


host = os.environ.get("HOST") or "127.0.0.1"
port = integer("PORT", 8000, most=65535)
bind = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"

shared_memory = any(os.environ.get(f"REDIS_URL{suffix}") for suffix in ("", "_FILE"))
worker_class = "taskapi.http.gunicorn_worker.Worker"
workers = integer("WEB_CONCURRENCY", 2 if shared_memory else 1)
threads = integer("WEB_THREADS", 4)
if workers > 1 and not shared_memory:
    sys.exit(
        f"taskapi: WEB_CONCURRENCY={workers} needs REDIS_URL: without it each worker"
        " would count rate limits and cache lists for itself"
    )
pins_workers = boolean("WORKER_CPU_PINNING", cpu_pinning.available_cores() >= workers)

timeout = 30
graceful_timeout = 30
drain_seconds = integer("DRAIN_SECONDS", 0, least=0, most=600)
keepalive = integer("KEEPALIVE_SECONDS", 75, most=3600)
asgi_lifespan = "off"
asgi_loop = "uvloop"
http_parser = "python"
# Proxies are the application's affair: NUM_PROXIES.
forwarded_allow_ips = ""
# A worker that retired would close the connections that its clients keep.
max_requests = 0
# It would be a file in the home folder, which a container may not have.
control_socket_disable = True

logconfig_dict = logs.configuration(
    "INFO", {"gunicorn.error": {"handlers": ["stdout"], "propagate": False}}
)


class logger_class(glogging.Logger):  # type: ignore[misc]
    """Without the access log, which `logconfig_dict` would turn on: the application
    logs each request itself.
    """

    access_log_enabled = False


def on_starting(arbiter: Any) -> None:
    worker_slots.prepare()


def pre_fork(arbiter: Any, worker: Any) -> None:
    others = list(arbiter.WORKERS.values())
    worker.slot = worker_slots.allocate_slot(other.slot for other in others)
    if pins_workers:
        taken = [other.core for other in others if hasattr(other, "core")]
        worker.core = cpu_pinning.least_used_core(taken)


def child_exit(arbiter: Any, worker: Any) -> None:
    worker_slots.release_slot(worker.slot)


def when_ready(arbiter: Any) -> None:
    graceful_shutdown.drain_before_stop(drain_seconds)


def post_fork(arbiter: Any, worker: Any) -> None:
    take_signals(arbiter)
    allocator.return_large_blocks()
    if pins_workers:
        os.sched_setaffinity(0, {worker.core})


def take_signals(arbiter: Any) -> None:
    """Let a worker stop that gets the signal while it starts.

    It would forget the signal, and be waited for until `graceful_timeout`: it starts
    with the arbiter's way of taking signals, which is to queue them.
    """
    for number in STOP_SIGNALS:
        signal.signal(number, signal.SIG_DFL)
    while not arbiter.SIG_QUEUE.empty():
        if arbiter.SIG_QUEUE.get() in STOP_SIGNALS:
            sys.exit()
