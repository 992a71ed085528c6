"""The database and the cache the tests run on, chosen before Django reads its settings.

DATABASE_URL and REDIS_URL are used when given; else throwaway servers are started;
else SQLite and local memory stand in, which is said loudly, or refused with
`--require-services`. Loaded by `-p tests.services`: a conftest would come too late.
"""

import os
import sys
from collections.abc import Callable, Generator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest
import redis

from tests.launcher import CannotStartError, Launcher

HEADER = pytest.StashKey[str]()
KEY_PREFIX = "TASKAPI_TEST_KEY_PREFIX"
HERE = Path(__file__).resolve().parent
# What is tried there takes servers, browsers or subprocesses, and so seconds a test.
FULL_FOLDERS = {HERE / name for name in ("deploy", "live", "tools")}


def postgres_version(url: str) -> str:
    with psycopg.connect(url, connect_timeout=10) as connection:
        version = connection.info.parameter_status("server_version") or ""
    return f"PostgreSQL {version.partition(' ')[0]}"


def valkey_version(url: str) -> str:
    with redis.Redis.from_url(url, socket_timeout=10) as client:
        server = client.info("server")
    if "valkey_version" in server:
        return f"Valkey {server['valkey_version']}"
    return f"Redis {server['redis_version']}"


@dataclass(frozen=True)
class Service:
    """A server the tests want, and what stands in where there is none."""

    name: str
    variable: str
    stand_in: str
    version: Callable[[str], str]
    start: Callable[[Launcher, Callable[[str], object]], str]

    @property
    def url(self) -> str:
        return os.environ.get(self.variable, "")

    def check(self) -> str:
        """Say what the given URL leads to, or refuse to run when it leads nowhere."""
        try:
            return f"{self.version(self.url)} (from {self.variable})"
        except Exception as error:  # each client fails in its own way
            reason = str(error).strip().partition("\n")[0]
            message = f"{self.variable} leads to no {self.name}: {reason}"
            raise pytest.UsageError(message) from None

    def launch(self, launcher: Launcher) -> str:
        os.environ[self.variable] = self.start(launcher, self.version)
        return f"{self.version(self.url)} (throwaway)"


POSTGRESQL = Service(
    name="PostgreSQL",
    variable="DATABASE_URL",
    stand_in="SQLite",
    version=postgres_version,
    start=Launcher.start_postgres,
)
VALKEY = Service(
    name="Valkey",
    variable="REDIS_URL",
    stand_in="local memory",
    version=valkey_version,
    start=Launcher.start_valkey,
)


def provide(launcher: Launcher, *, required: bool) -> list[str]:
    """Set both URLs; return what they lead to."""
    if os.environ.get("TASKAPI_TEST_DB") == "sqlite":
        if required:
            raise pytest.UsageError("TASKAPI_TEST_DB=sqlite and --require-services")
        os.environ.pop("DATABASE_URL", None)
        os.environ.pop("REDIS_URL", None)
        found = ["SQLite", "local memory"]
    else:
        found = [obtain(each, launcher, required) for each in (POSTGRESQL, VALKEY)]
    # A file, because tests share the database between threads and processes.
    if not POSTGRESQL.url:
        os.environ["DATABASE_URL"] = f"sqlite:///{launcher.folder}/db.sqlite3"
    return found


def obtain(service: Service, launcher: Launcher, required: bool) -> str:
    if service.url.startswith("sqlite:"):
        if required:
            raise pytest.UsageError("DATABASE_URL is SQLite's, with --require-services")
        return "SQLite (from DATABASE_URL)"
    if service.url:
        return service.check()
    try:
        return service.launch(launcher)
    except (CannotStartError, OSError) as reason:
        if required:
            raise pytest.UsageError(f"no {service.name}: {reason}") from None
        warn(f"NO {service.name}, SO TESTING ON {service.stand_in}: {reason}")
        return service.stand_in


def warn(message: str) -> None:
    print(f"tests.services: {message}", file=sys.stderr, flush=True)


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--require-services",
        action="store_true",
        default=os.environ.get("TASKAPI_REQUIRE_SERVICES") == "1",
        help="fail where tests would run without PostgreSQL, Valkey, or be skipped "
        "for want of curl or Node",
    )
    parser.addoption(
        "--full",
        action="store_true",
        help="also run what takes seconds a test: tests/deploy, live, tools, "
        "migrations; and let Hypothesis try as many examples as CI does",
    )


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """Leave out the slow folders. One that is named on the command line is run."""
    is_left_out = collection_path in FULL_FOLDERS and not config.option.full
    return True if is_left_out else None


def pytest_collection_modifyitems(
    config: pytest.Config, items: list[pytest.Item]
) -> None:
    named = any("::" in argument for argument in config.args)
    if config.option.full or named:
        return
    left_out = [item for item in items if item.get_closest_marker("full")]
    items[:] = [item for item in items if not item.get_closest_marker("full")]
    config.hook.pytest_deselected(items=left_out)


# A wrapper is entered before pytest-django's plain hook imports the settings.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> Generator[None]:
    options = early_config.known_args_namespace
    if worker := os.environ.get("PYTEST_XDIST_WORKER"):
        os.environ[KEY_PREFIX] += f"-{worker}"
    elif not (options.help or options.version):
        name_keys(early_config)
        launcher = Launcher()
        early_config.add_cleanup(launcher.close)
        found = provide(launcher, required=options.require_services)
        early_config.stash[HEADER] = f"services: {', '.join(found)}"
    return (yield)


def name_keys(config: pytest.Config) -> None:
    """Give this run keys of its own in Redis. One that was given is left as it was."""
    os.environ[KEY_PREFIX] = prefix = f"taskapi-test-{uuid4().hex[:12]}"
    if VALKEY.url and os.environ.get("TASKAPI_TEST_DB") != "sqlite":
        config.add_cleanup(partial(remove_keys, VALKEY.url, prefix))


def remove_keys(url: str, prefix: str) -> None:
    """Remove from Redis what has a name with this prefix, and nothing else."""
    with redis.Redis.from_url(url) as client:
        for key in client.scan_iter(f"{prefix}*", count=1000):
            client.unlink(key)


def pytest_report_header(config: pytest.Config) -> str:
    return config.stash.get(HEADER, "services: the controller's")
