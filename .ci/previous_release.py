#!/usr/bin/env python3
"""Run the previous release's tests and code on the schema that this checkout makes.

While a release is rolled out both are at work on one database, and after a rollback
the old one stays: so release N must work on the schema of N+1. Arguments go to N's
pytest; without any, its tests of the endpoints run. Uses the servers of DATABASE_URL
and REDIS_URL, else throwaway ones.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))
ENDPOINTS = ["tests/accounts", "tests/tasks"]


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def previous_release() -> str:
    """The newest `v*` tag before this commit, or nothing."""
    if not git("rev-parse", "HEAD"):
        sys.exit("git cannot tell the releases: is this a checkout of its own?")
    if git("rev-parse", "--is-shallow-repository") == "true":
        sys.exit("A shallow clone hides the tags of releases: fetch all of history.")
    return git("describe", "--tags", "--abbrev=0", "--match", "v*", "HEAD^")


@contextmanager
def databases(url: str) -> Iterator[tuple[str, str]]:
    """The URLs of a database and of the one that Django's tests use in its place."""
    import psycopg

    name = f"release_{uuid4().hex[:12]}"
    with psycopg.connect(url, autocommit=True) as server:
        try:
            for each in (name, f"test_{name}"):
                server.execute(f"CREATE DATABASE {each}")
            parts = urlsplit(url)
            yield (
                parts._replace(path=f"/{name}").geturl(),
                parts._replace(path=f"/test_{name}").geturl(),
            )
        finally:
            for each in (name, f"test_{name}"):
                server.execute(f"DROP DATABASE IF EXISTS {each} WITH (FORCE)")


@contextmanager
def services() -> Iterator[str]:
    """The URL of PostgreSQL; that of Redis is put into the environment."""
    from tests.launcher import Launcher
    from tests.services import provide

    launcher = Launcher()
    try:
        provide(launcher, required=True)
        yield os.environ["DATABASE_URL"]
    finally:
        launcher.close()


def run_tests(tag: str, arguments: list[str]) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="taskapi-release-") as folder,
        services() as url,
        databases(url) as (base, test),
    ):
        about = {"DATABASE_URL": test, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=ROOT, env=os.environ | about, check=True)
        clone = ["git", "-c", "advice.detachedHead=false", "clone", "--quiet"]
        subprocess.run([*clone, "--branch", tag, ROOT, folder], check=True)
        # A `.venv` of its own, from its own lock. The tests' database is there already:
        # they migrate it no further, and keep it.
        command = [sys.executable, "-m", "taskapi", "test", "--reuse-db", *arguments]
        environment = os.environ | {"DATABASE_URL": base}
        return subprocess.run(command, cwd=folder, env=environment).returncode


def main() -> int:
    tag = previous_release()
    if not tag:
        print("previous release: there is no v* tag before this commit: nothing to run")
        return 0
    print(f"previous release: running the tests of {tag} on this schema", flush=True)
    return run_tests(tag, sys.argv[1:] or ENDPOINTS)


if __name__ == "__main__":
    sys.exit(main())
