"""Real servers for the tests of this folder, and a place for what was measured."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from itertools import count
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import psycopg
import pytest
import redis
from django.db import connections
from psycopg.conninfo import conninfo_to_dict

from tests.contract import document as contract
from tests.live.faults import FaultProxy
from tests.live.race import ROUNDS
from tests.live.server import ROOT, Server
from tests.live.wire import EXCHANGES
from tests.services import KEY_PREFIX, remove_keys

MEASURED: list[str] = []
Sql = Callable[..., list[Any]]
# Each server has keys of its own in the one Redis.
numbers = count(1)


@pytest.fixture(autouse=True)
def _judged_answers() -> Iterator[None]:
    """Judge what came over the wire; not at once, for races must not wait for it."""
    EXCHANGES.clear()
    yield
    for message, answer in EXCHANGES:
        # Some tests send a request in pieces, of which this may be any.
        if line := re.match(
            r"([A-Z]+) ([^ ?]+)[^ ]* HTTP/1", message.decode("latin-1")
        ):
            sent = (line[1], line[2], answer.status, answer.headers, answer.body)
            contract.document().judge(contract.Answer(*sent))


@pytest.fixture
def record(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Put a line about what was measured at the end of the run."""
    return lambda text: MEASURED.append(f"{request.node.name}: {text}")


def pytest_terminal_summary(terminalreporter: Any) -> None:
    if MEASURED:
        terminalreporter.section(f"measured, TASKAPI_RACE_ROUNDS={ROUNDS}")
        for line in MEASURED:
            terminalreporter.write_line(line)


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("live")


@pytest.fixture(scope="session")
def database() -> Iterator[str]:
    """The URL of a database of the servers' own."""
    base = os.environ["DATABASE_URL"]
    if not (base.startswith("postgres") and os.environ.get("REDIS_URL")):
        pytest.skip("the real server is tested with PostgreSQL and Redis only")
    name = f"taskapi_live_{os.getpid()}"
    url = urlsplit(base)._replace(path=f"/{name}").geturl()
    with closing(psycopg.connect(base, autocommit=True)) as connection:
        connection.execute(f"CREATE DATABASE {name}")
        try:
            command = [sys.executable, "manage.py", "migrate", "--verbosity=0"]
            about = {"DATABASE_URL": url, "DJANGO_SETTINGS_MODULE": "tests.settings"}
            subprocess.run(command, cwd=ROOT, env=os.environ | about, check=True)
            yield url
        finally:
            connection.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture(scope="session")
def sql(database: str) -> Iterator[Sql]:
    """Run one statement in the servers' database; its rows."""
    with closing(psycopg.connect(database, autocommit=True)) as connection:

        def run(statement: Any, *values: Any) -> list[Any]:
            cursor = connection.execute(statement, values)
            return cursor.fetchall() if cursor.description else []

        yield run


def redis_kwargs() -> dict[str, Any]:
    with redis.Redis.from_url(os.environ["REDIS_URL"]) as client:
        return dict(client.connection_pool.connection_kwargs)


def environment(
    database: str, cache: str | None = None, **limits: str
) -> dict[str, str]:
    """Of a server that shares its database with others, but not what it counts."""
    return {
        "DJANGO_SETTINGS_MODULE": "tests.live.settings",
        "DATABASE_URL": database,
        "REDIS_URL": cache or os.environ["REDIS_URL"],
        KEY_PREFIX: f"{os.environ[KEY_PREFIX]}-live{next(numbers)}",
        "WEB_CONCURRENCY": "2",
        "WEB_THREADS": "8",
    } | {f"LIVE_LIMIT_{name.upper()}": text for name, text in limits.items()}


@pytest.fixture(scope="session")
def steady_server(database: str, folder: Path) -> Iterator[Server]:
    with closing(Server(folder, environment(database))) as server:
        yield server


@pytest.fixture
def live(steady_server: Server) -> Iterator[Server]:
    """The server with roomy limits, of which no test wants to see a 5xx."""
    steady_server.failures()
    yield steady_server
    assert steady_server.failures() == []


TRUE_LIMITS = {"auth": "10/15m", "login": "10/15m", "refresh": "10/15m"}


def emptied(about: dict[str, str]) -> Callable[[], None]:
    """What empties the Redis of a server, around any proxy; done once already."""
    empty = partial(remove_keys, os.environ["REDIS_URL"], about[KEY_PREFIX])
    empty()
    return empty


@pytest.fixture(scope="session")
def limited_environment(database: str) -> dict[str, str]:
    return environment(database, **TRUE_LIMITS)


@pytest.fixture(scope="session")
def limited_server(
    limited_environment: dict[str, str], folder: Path
) -> Iterator[Server]:
    with closing(Server(folder, limited_environment)) as server:
        yield server


@pytest.fixture
def limited(limited_server: Server) -> Iterator[Server]:
    """The server with the real limits. Its Redis is not behind a proxy: that runs in
    this process, and while 64 clients do so too, it would be too slow to be asked.
    """
    limited_server.failures()
    yield limited_server
    assert limited_server.failures() == []


@pytest.fixture
def empty_limited_redis(limited_environment: dict[str, str]) -> Callable[[], None]:
    return emptied(limited_environment)


@pytest.fixture(scope="session")
def postgres_proxy(database: str) -> Iterator[FaultProxy]:
    where = conninfo_to_dict(database)
    host, port = str(where.get("host") or "localhost"), int(where.get("port") or 5432)
    target = f"{host}/.s.PGSQL.{port}" if host.startswith("/") else (host, port)
    with closing(FaultProxy(target)) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def redis_proxy() -> Iterator[FaultProxy]:
    where = redis_kwargs()
    target = where.get("path") or (where["host"], where["port"])
    with closing(FaultProxy(target)) as proxy:
        yield proxy


@pytest.fixture(scope="session")
def fragile_environment(
    database: str, postgres_proxy: FaultProxy, redis_proxy: FaultProxy
) -> dict[str, str]:
    url = urlsplit(database)
    user = url.netloc.rpartition("@")[0]
    netloc = f"{user}@127.0.0.1:{postgres_proxy.port}"
    proxied = url._replace(netloc=netloc, query="").geturl()
    number = redis_kwargs().get("db", 0)
    cache = f"redis://127.0.0.1:{redis_proxy.port}/{number}"
    about = environment(proxied, cache, **TRUE_LIMITS)
    return about | {"TASKAPI_TEST_REDIS_SECONDS": ""}  # those of production


@pytest.fixture(scope="session")
def fragile_server(
    fragile_environment: dict[str, str], folder: Path
) -> Iterator[Server]:
    with closing(Server(folder, fragile_environment)) as server:
        yield server


@pytest.fixture
def fragile(
    fragile_server: Server, postgres_proxy: FaultProxy, redis_proxy: FaultProxy
) -> Iterator[Server]:
    """The server with the real limits, whose database and Redis can be made to fail."""
    fragile_server.failures()
    yield fragile_server
    postgres_proxy.become("ok")
    redis_proxy.become("ok")


@pytest.fixture
def empty_fragile_redis(fragile_environment: dict[str, str]) -> Callable[[], None]:
    return emptied(fragile_environment)


@pytest.fixture
def orm(database: str, django_db_blocker: Any) -> Iterator[None]:
    """Django's own connections lead to the servers' database."""
    django = connections["default"]
    usual = django.settings_dict["NAME"]

    def lead_to(name: str) -> None:
        django.close()
        django.settings_dict["NAME"] = name

    with django_db_blocker.unblock():
        lead_to(urlsplit(database).path[1:])
        yield
        lead_to(usual)
