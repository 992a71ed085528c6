"""`python3 -m taskapi`, run in copies of the checkout that have a stand-in for pip."""

import ast
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
COPIED = ["pyproject.toml", "requirements.txt", "requirements-test.txt"]
COPIED += ["requirements-services.txt", "taskapi/__init__.py", "taskapi/__main__.py"]
COPIED += ["taskapi/bootstrap/commands.py", "taskapi/bootstrap/installer.py"]
# Stands in for .venv/bin/python: notes what it was asked, and does nothing.
STAND_IN = """\
#!/bin/sh
[ "$1" = -c ] && exit 0
echo "$@" >> "$PWD/calls"
case "$*" in *"-m pip "*)
    sleep ${PIP_TAKES:-0}; printf '%s\\n' "$PIP_SAYS"; exit ${PIP_EXITS:-0}
esac
"""
RUN_AS = "import sys, runpy; sys.argv = ['taskapi', 'setup']; {change}; "
RUN_AS += "runpy.run_module('taskapi', run_name='__main__')"


class Checkout:
    """A copy of what the bootstrap needs, and the commands in it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / ".venv/bin/python"
        for name in COPIED:
            (folder / name).parent.mkdir(exist_ok=True)
            shutil.copy(ROOT / name, folder / name)

    def add_venv(self) -> None:
        self.python.parent.mkdir(parents=True)
        self.python.write_text(STAND_IN)
        self.python.chmod(0o755)

    def start(self, *arguments: str, **variables: str) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, *arguments],
            cwd=self.folder,
            env={
                "PATH": os.defpath,
                "PIP_CONFIG_FILE": os.devnull,
                # Else pip warns of a home that cannot be written to.
                "PIP_NO_CACHE_DIR": "1",
            }
            | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )

    def run(self, *arguments: str, **variables: str) -> tuple[int, str]:
        """The exit status, and what was said on standard error."""
        with self.start(*arguments, **variables) as process:
            _, errors = process.communicate()
        return process.returncode, errors

    def taskapi(self, *arguments: str, **variables: str) -> tuple[int, str]:
        return self.run("-m", "taskapi", *arguments, **variables)

    def calls(self) -> list[str]:
        """What the stand-in was asked, each by its last word."""
        calls = self.folder / "calls"
        lines = calls.read_text().splitlines() if calls.exists() else []
        calls.unlink(missing_ok=True)
        return [Path(line.split()[-1]).name for line in lines]


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


@pytest.fixture
def ready(checkout: Checkout) -> Checkout:
    checkout.add_venv()
    return checkout


def test_old_python_is_told_what_is_needed(checkout: Checkout) -> None:
    change = "sys.version_info = (3, 10, 13)"

    status, errors = checkout.run("-c", RUN_AS.format(change=change))

    assert status == 1
    assert errors == "taskapi: Python 3.11 or newer is needed; this is 3.10.13\n"


@pytest.mark.parametrize("name", ["__init__.py", "__main__.py"])
def test_old_python_can_read_what_says_so(name: str) -> None:
    ast.parse((ROOT / "taskapi" / name).read_text(), feature_version=(3, 6))


def test_python_without_ensurepip_is_told_what_to_install(checkout: Checkout) -> None:
    change = "sys.modules['ensurepip'] = None"

    status, errors = checkout.run("-c", RUN_AS.format(change=change))

    assert status == 1
    assert errors == "taskapi: this Python lacks ensurepip: install python3-venv\n"


def test_unwritable_checkout_is_refused_in_one_line(checkout: Checkout) -> None:
    checkout.folder.chmod(0o555)
    # Root may write everywhere, so it becomes user 65534, who may not even enter.
    script = (
        "import ensurepip, os, sys, venv; from taskapi.bootstrap.commands import main;"
        " os.geteuid() or os.seteuid(65534); main(['setup'])"
    )

    status, errors = checkout.run("-c", script)

    *_, last = errors.splitlines()
    assert status == 1
    assert last.startswith(f"taskapi: cannot write to {checkout.folder}/.venv")
    assert last.endswith(": run it in a checkout that you own")
    assert "Traceback" not in errors


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> tuple[Checkout, int, str]:
    """A first run without a network, after another Python's, with the real pip."""
    checkout = Checkout(tmp_path_factory.mktemp("offline"))
    checkout.add_venv()
    (checkout.folder / ".venv/taskapi-python").write_text("3.11.0, long gone")
    nowhere = {"PIP_INDEX_URL": "http://127.0.0.1:9/", "PIP_RETRIES": "0"}
    return checkout, *checkout.taskapi("setup", **nowhere)


def test_no_network_is_said_before_what_pip_says(
    offline: tuple[Checkout, int, str],
) -> None:
    _, status, errors = offline

    says = errors.splitlines()
    assert status == 1
    assert says[2] == (
        "taskapi: the packages of requirements.txt could not be downloaded:"
        " is there a network?"
    )
    assert says[3].startswith("ERROR: Could not find a version")


def test_own_venv_of_another_python_is_made_anew(
    offline: tuple[Checkout, int, str],
) -> None:
    checkout, *_ = offline

    assert checkout.python.is_symlink()
    assert not checkout.calls()


def test_package_with_another_hash_is_refused(ready: Checkout) -> None:
    says = "ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE."

    status, errors = ready.taskapi("setup", PIP_SAYS=says, PIP_EXITS="1")

    assert status == 1
    assert errors.splitlines()[1:] == [
        "taskapi: a package does not have the hash in requirements.txt",
        says,
    ]


def test_packages_are_installed_once(ready: Checkout) -> None:
    assert ready.taskapi("setup") == (
        0,
        "taskapi: installing requirements.txt into .venv\n",
    )
    assert ready.calls() == ["requirements.txt"]

    assert ready.taskapi("setup") == (0, "")
    assert ready.calls() == []


def test_changed_lock_is_installed(ready: Checkout) -> None:
    ready.taskapi("setup")
    ready.calls()
    with (ready.folder / "requirements.txt").open("a") as lock:
        lock.write("# changed\n")

    ready.taskapi("setup")

    assert ready.calls() == ["requirements.txt"]


def test_change_that_is_undone_is_installed_again(ready: Checkout) -> None:
    lock = ready.folder / "requirements.txt"
    before = lock.read_text()
    ready.taskapi("test", TASKAPI_TEST_DB="sqlite")
    lock.write_text(before + "# changed\n")
    ready.taskapi("setup")
    lock.write_text(before)
    ready.calls()

    ready.taskapi("test", TASKAPI_TEST_DB="sqlite")

    assert ready.calls() == ["requirements-test.txt", "2"]


def test_failed_install_is_tried_again(ready: Checkout) -> None:
    assert ready.taskapi("setup", PIP_EXITS="1")[0] == 1
    ready.calls()

    assert ready.taskapi("setup")[0] == 0
    assert ready.calls() == ["requirements.txt"]


def test_serve_after_test_installs_nothing(ready: Checkout) -> None:
    ready.taskapi("test", "-k", "some")
    assert ready.calls() == [
        "requirements-test.txt",
        "requirements-services.txt",
        "some",
    ]

    ready.taskapi("serve")

    assert ready.calls() == ["serve"]


def test_no_servers_are_fetched_where_urls_are_given(ready: Checkout) -> None:
    ready.taskapi("test", DATABASE_URL="postgres:///x", REDIS_URL="redis:///")

    assert ready.calls() == ["requirements-test.txt", "2"]


def test_bench_installs_what_the_tests_need(ready: Checkout) -> None:
    ready.taskapi("bench", "--seconds=1")

    wanted = ["requirements-test.txt", "requirements-services.txt"]
    assert ready.calls() == [*wanted, "--seconds=1"]


def test_test_is_run_where_the_servers_cannot_be_fetched(ready: Checkout) -> None:
    ready.taskapi("test", TASKAPI_TEST_DB="sqlite")
    ready.calls()

    status, errors = ready.taskapi("test", PIP_EXITS="1")

    assert status == 0
    assert ready.calls() == ["requirements-services.txt", "2"]
    assert "taskapi: no PostgreSQL and Valkey for the tests: pip could not" in errors


def test_two_commands_at_once_install_once(ready: Checkout) -> None:
    started = [ready.start("-m", "taskapi", "setup", PIP_TAKES="0.3") for _ in range(2)]
    ends = [process.communicate()[1] for process in started]

    assert [process.returncode for process in started] == [0, 0]
    assert ready.calls() == ["requirements.txt"]
    assert any("waiting for another taskapi command" in errors for errors in ends)


def test_handmade_venv_that_does_not_work_is_left_alone(ready: Checkout) -> None:
    ready.python.unlink()

    status, errors = ready.taskapi("setup")

    assert status == 1
    assert errors == (
        f"taskapi: {ready.folder}/.venv is not a working environment of Python 3.11"
        " or newer: remove it\n"
    )
    assert ready.python.parent.exists()


LIMITS = ("AUTH", "ADDRESS", "LOGIN", "REFRESH", "USER")


def variables(env_file: Path) -> dict[str, str]:
    lines = env_file.read_text().splitlines()
    return dict(line.split("=") for line in lines if not line.startswith("#"))


def test_first_serve_makes_secrets_nobody_else_can_read(ready: Checkout) -> None:
    ready.taskapi("serve")

    made = variables(ready.folder / ".env")
    names = ["SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]
    assert (ready.folder / ".env").stat().st_mode & 0o777 == 0o600
    limits = [f"RATE_LIMIT_{name}" for name in LIMITS]
    assert list(made) == [*names, "HTTPS", "PASSWORD_BLOCKLIST", *limits]
    assert len({made[name] for name in names}) == 3
    assert min(len(made[name]) for name in names) >= 50


def test_existing_env_file_is_never_changed(ready: Checkout) -> None:
    (ready.folder / ".env").write_text("PORT=8001\n")

    assert ready.taskapi("serve")[0] == 0
    assert (ready.folder / ".env").read_text() == "PORT=8001\n"


@pytest.mark.parametrize("name", ["SECRET_KEY", "SECRET_KEY_FILE"])
def test_given_secret_key_makes_no_env_file(ready: Checkout, name: str) -> None:
    ready.taskapi("serve", **{name: "x"})

    assert ready.calls() == ["requirements.txt", "serve"]
    assert not (ready.folder / ".env").exists()


def test_nothing_is_relaxed_for_a_real_database(ready: Checkout) -> None:
    ready.taskapi("serve", DATABASE_URL="postgres:///x")

    assert len(variables(ready.folder / ".env")) == 3


def test_setup_makes_no_env_file(ready: Checkout) -> None:
    ready.taskapi("setup")

    assert not (ready.folder / ".env").exists()


@pytest.mark.parametrize(
    "options", [["--port", "8001"], ["--port=8001", "--host", "0.0.0.0"]]
)
def test_options_of_serve_are_passed_on(ready: Checkout, options: list[str]) -> None:
    assert ready.taskapi("serve", *options)[0] == 0
    assert ready.calls() == ["requirements.txt", options[-1]]


@pytest.mark.parametrize(
    "arguments",
    [[], ["dance"], ["serve", "8001"], ["serve", "--prot", "1"], ["serve", "--port"]],
)
def test_unknown_command_shows_the_usage(ready: Checkout, arguments: list[str]) -> None:
    status, errors = ready.taskapi(*arguments)

    assert status == 2
    assert errors.startswith("usage: python3 -m taskapi COMMAND\n")
