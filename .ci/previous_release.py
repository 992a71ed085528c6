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
BASELINE = "baseline/openapi.yaml"


def git(*arguments: str) -> str:
    done = subprocess.run(
        ["git", "-C", ROOT, *arguments], capture_output=True, text=True
    )
    return done.stdout.strip() if done.returncode == 0 else ""


def previous_releases() -> list[str]:
    """The commits before this one that changed the baseline, the newest first.

    A release copies docs/openapi.yaml over it, so the newest one is the last release.
    """
    if not git("rev-parse", "HEAD"):
        sys.exit("git cannot tell the releases: is this a checkout of its own?")
    if git("rev-parse", "--is-shallow-repository") == "true":
        sys.exit("A shallow clone hides the last release: fetch all of history.")
    if not git("ls-tree", "HEAD", BASELINE):
        sys.exit(f"There is no {BASELINE}, so nothing can be compared with it.")
    changed = git("log", "--format=%H", "HEAD", "--", BASELINE).splitlines()
    head = git("rev-parse", "HEAD")
    return [commit for commit in changed if commit != head]


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


def run_tests(commit: str, arguments: list[str]) -> int:
    with (
        tempfile.TemporaryDirectory(prefix="taskapi-release-") as folder,
        services() as url,
        databases(url) as (base, test),
    ):
        about = {"DATABASE_URL": test, "DJANGO_SETTINGS_MODULE": "tests.settings"}
        migrate = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
        subprocess.run(migrate, cwd=ROOT, env=os.environ | about, check=True)
        clone = ["git", "clone", "--quiet", "--no-checkout", ROOT, folder]
        subprocess.run(clone, check=True)
        checkout = ["git", "-C", folder, "checkout", "--quiet", "--detach", commit]
        subprocess.run(checkout, check=True)
        # A `.venv` of its own, from its own lock. The tests' database is there already:
        # they migrate it no further, and keep it.
        command = [sys.executable, "-m", "taskapi", "test", "--reuse-db", *arguments]
        environment = os.environ | {"DATABASE_URL": base}
        return subprocess.run(command, cwd=folder, env=environment).returncode


def main() -> int:
    releases = previous_releases()
    if not releases:
        print("previous release: this commit is the first one: nothing to run")
        return 0
    commit = releases[0]
    print(f"previous release: running the tests of {commit} on this schema", flush=True)
    return run_tests(commit, sys.argv[1:] or ENDPOINTS)


if __name__ == "__main__":
    sys.exit(main())
