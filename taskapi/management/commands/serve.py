"""`manage.py serve`: migrates, creates demo data at a first start, runs gunicorn."""

import errno
import json
import os
import shlex
import socket
import sys
from io import StringIO
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management import BaseCommand, CommandError, call_command
from django.db import OperationalError, connection, connections, transaction
from django.db.migrations.executor import MigrationExecutor
from gunicorn.app.wsgiapp import WSGIApplication

from taskapi.management import database_errors
from taskapi.management.hints import runnable


class Command(BaseCommand):
    help = "Serve the API, configured by HOST, PORT, WEB_CONCURRENCY and WEB_THREADS."

    def handle(self, *args: Any, **options: Any) -> None:
        gunicorn = configured_gunicorn()
        address = gunicorn.cfg.address[0]
        reject_taken_port(*address)
        url = public_url(*address)
        login_hint = self.prepare(url)
        configured = gunicorn.cfg.when_ready

        def when_ready(arbiter: Any) -> None:
            configured(arbiter)
            self.announce(url, login_hint)

        gunicorn.cfg.set("when_ready", when_ready)
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

    def announce(self, url: str, login_hint: str) -> None:
        self.stdout.write(f"\nTask API  {url}")
        self.stdout.write(f"    docs  {url}/api/docs")
        self.stdout.write(f"   admin  {url}/admin/\n{login_hint}\n")
        self.stdout.flush()


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
            reason = f"port {port} is taken; choose another: PORT={port + 1}"
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


def public_url(host: str, port: int) -> str:
    if host in {"0.0.0.0", "::"}:
        host = "127.0.0.1"
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
