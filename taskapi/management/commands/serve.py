"""`manage.py serve`: migrates, creates demo data at a first start, runs gunicorn and
a worker.
"""

import errno
import json
import multiprocessing
import os
import shlex
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext, suppress
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import (
    BaseCommand,
    CommandError,
    CommandParser,
    call_command,
)
from django.db import OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from gunicorn.app.wsgiapp import WSGIApplication

from taskapi.http import gunicorn_worker
from taskapi.management import database_errors
from taskapi.management.banner import Address
from taskapi.management.hints import runnable


class Command(BaseCommand):
    help = "Serve the API, configured by HOST, PORT, WEB_CONCURRENCY and WEB_THREADS."

    def add_arguments(self, parser: CommandParser) -> None:
        for name in ("host", "port"):
            parser.add_argument(f"--{name}", help=f"instead of {name.upper()}")

    def handle(self, *args: Any, **options: Any) -> None:
        for name in ("host", "port"):
            if options[name] is not None:
                os.environ[name.upper()] = options[name]
        gunicorn = configured_gunicorn()
        host, port = gunicorn.cfg.address[0]
        reject_taken_port(host, port)
        address = Address(host, port, settings.ALLOWED_HOSTS)
        login_hint = self.prepare(address.url)
        self.stdout.flush()  # or each worker would print it once more
        gunicorn_worker.on_accepting = once_by_the_last_of(
            gunicorn.cfg.workers, lambda: self.announce(address, login_hint)
        )
        with worker_beside() if settings.WORKER else nullcontext():
            gunicorn.run()

    def prepare(self, url: str) -> str:
        """Migrate the database and disconnect from it; return how to log in."""
        try:
            self.migrate()
            login_hint = first_login(url) or later_login(url)
        except OperationalError as error:
            raise CommandError(database_errors.describe(error)) from error
        disconnect_database()
        return login_hint

    def migrate(self) -> None:
        executor = MigrationExecutor(connection)
        plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
        if plan:
            call_command("migrate", interactive=False, verbosity=0)
            self.stdout.write(f"taskapi: applied {len(plan)} migrations")

    def announce(self, address: Address, login_hint: str) -> None:
        url = address.url
        lines = [
            f"\nTask API  {url}",
            f"    docs  {url}/api/docs",
            f"   admin  {url}/admin/",
            *address.notes,
            login_hint,
        ]
        self.stdout.write("\n".join(lines) + "\n")
        self.stdout.flush()


@contextmanager
def worker_beside() -> Iterator[None]:
    """Run a `manage.py worker`, which stops after this process or with it."""
    command = [sys.executable, "manage.py", "worker", "--parent", str(os.getpid())]
    worker = subprocess.Popen(command, stdin=subprocess.DEVNULL)  # noqa: S603
    master = os.getpid()
    try:
        yield
    finally:
        if os.getpid() == master:  # and not a worker of gunicorn's, which also ends
            with suppress(ProcessLookupError):
                worker.terminate()
            worker.wait()


def once_by_the_last_of(
    workers: int, announce: Callable[[], None]
) -> Callable[[], None]:
    """What each worker calls when it accepts connections. The last of the first ones
    announces it, so that no line about the start comes later.
    """
    accepting = multiprocessing.Value("I")

    def on_accepting() -> None:
        with accepting.get_lock():
            accepting.value += 1
            is_last = accepting.value == workers
        if is_last:
            announce()

    return on_accepting


def configured_gunicorn() -> WSGIApplication:
    """Gunicorn with `gunicorn.conf.py`, which rejects contradictory settings."""
    os.chdir(settings.BASE_DIR)
    own_arguments = sys.argv
    sys.argv = ["gunicorn", "--config", "gunicorn.conf.py", "taskapi.asgi"]
    try:
        return WSGIApplication(prog="gunicorn")
    finally:
        sys.argv = own_arguments


def reject_taken_port(host: str, port: int) -> None:
    """Fail at once: gunicorn would retry for five seconds first."""
    try:
        family, kind, *_, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM
        )[0]
        with socket.socket(family, kind) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            reason = f"port {port} is taken; choose another: --port {port + 1}"
        else:
            reason = f"cannot listen on HOST={host} PORT={port}: {error.strerror}"
        raise CommandError(reason) from error


def first_login(url: str) -> str | None:
    """Create the demo account in a new embedded database; return how to log in."""
    database_url = os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")
    if database_url:
        return None
    with transaction.atomic():
        # Inside, because another first start may be creating it now.
        if get_user_model().objects.exists():
            return None
        email, password = call_command("demo", stdout=StringIO()).split()
    body = shlex.quote(json.dumps({"email": email, "password": password}))
    curl = f"curl -s {url}/api/auth/login -H 'Content-Type: application/json' -d {body}"
    return (
        f"   login  {email}  password  {password}  (shown this once)\n     try  {curl}"
    )


def later_login(url: str) -> str:
    if get_user_model().objects.exists():
        hint = f"as before; forgotten: {runnable('changepassword EMAIL')}"
    else:
        hint = f"no account yet: {runnable('createsuperuser')}"
    return f"   login  {hint}\n     try  curl -s {url}/health"


def disconnect_database() -> None:
    """Workers must not inherit a connection."""
    connections.close_all()
