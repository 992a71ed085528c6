""".ci/breaking_changes.py: what breaks a client, and what does not."""

import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

from tests.tools.api_changes import (
    BASE,
    BREAKING,
    COMPATIBLE,
    GET,
    PUT,
    Change,
    no_get,
)

ROOT: Path = settings.BASE_DIR
Compare = Callable[..., tuple[int, list[str]]]


@pytest.fixture
def compare(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Compare:
    """Run the script on BASE and on what a change makes of it: status and findings."""
    folder = ROOT / ".ci"
    monkeypatch.syspath_prepend(folder)
    script = runpy.run_path(str(folder / "breaking_changes.py"))

    def run(change: Change, version: str = "1.5.0") -> tuple[int, list[str]]:
        new = changed(change, version)
        for name, document in ("old", BASE), ("new", new):
            (tmp_path / name).write_text(yaml.safe_dump(document))
        status = script["main"]([tmp_path / "old", tmp_path / "new"])
        *found, _ = capsys.readouterr().out.splitlines()
        return status, [each.removeprefix("- ") for each in found]

    return run


def changed(change: Change, version: str) -> dict[str, Any]:
    document = deepcopy(BASE)
    change(document)
    document["info"]["version"] = version
    return document


@pytest.mark.parametrize("name", BREAKING)
def test_what_breaks_clients_is_found(name: str, compare: Compare) -> None:
    change, said = BREAKING[name]

    assert compare(change) == (1, [said.format(GET=GET, PUT=PUT)])


@pytest.mark.parametrize("name", COMPATIBLE)
def test_what_breaks_nobody_is_let_through(name: str, compare: Compare) -> None:
    assert compare(COMPATIBLE[name]) == (0, [])


def test_a_new_major_number_lets_it_through(compare: Compare) -> None:
    said = [f"the operation is gone: {GET}"]

    assert compare(no_get, "2.0.0") == (0, said)
    assert compare(no_get, "1.99.0") == (1, said)
    assert compare(no_get, "0.9.0") == (1, said)


def test_both_numbers_of_the_version_are_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    described = yaml.safe_load((ROOT / "docs" / "openapi.yaml").read_text())["info"]

    assert described["version"] == project["version"]


def test_baseline_is_the_description_of_a_release() -> None:
    baseline = yaml.safe_load((ROOT / "baseline" / "openapi.yaml").read_text())

    assert baseline["openapi"].startswith("3.1")
    assert tuple(map(int, baseline["info"]["version"].split("."))) >= (1, 0, 0)


# Against the last release


class Checkout:
    """A repository with nothing but the script and a description."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.docs = folder / "docs"
        self.docs.mkdir()
        self.baseline = folder / "baseline" / "openapi.yaml"
        names = ["breaking_changes.py", "openapi.py", "previous_release.py"]
        (folder / ".ci").mkdir()
        for name in names:
            shutil.copy2(ROOT / ".ci" / name, folder / ".ci")
        self.git("init", "--quiet", "--initial-branch=main")

    def git(self, *arguments: str) -> None:
        who = ["-c", "user.name=A", "-c", "user.email=a@example.com"]
        command = ["git", *who, "-c", "commit.gpgsign=false", *arguments]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)

    def commit(self, change: Change, version: str, *, release: bool = False) -> None:
        document = yaml.safe_dump(changed(change, version))
        (self.docs / "openapi.yaml").write_text(document)
        if release:
            self.baseline.parent.mkdir(exist_ok=True)
            self.baseline.write_text(document)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--allow-empty", "--message=.")

    @property
    def head(self) -> str:
        command = ["git", "rev-parse", "HEAD"]
        done = subprocess.run(
            command, cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def check(self, folder: Path | None = None) -> tuple[int, str]:
        script = (folder or self.folder) / ".ci" / "breaking_changes.py"
        command = [sys.executable, "-B", script]
        done = subprocess.run(command, capture_output=True, text=True, cwd="/")
        return done.returncode, done.stdout + done.stderr


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    checkout = Checkout(tmp_path)
    checkout.commit(COMPATIBLE["nothing"], "1.0.0", release=True)
    return checkout


def test_first_release_is_compared_with_nothing_and_it_says_so(
    checkout: Checkout,
) -> None:
    status, said = checkout.check()

    assert status == 0
    assert "NOTHING IS" in said


def test_it_compares_with_the_newest_release(checkout: Checkout) -> None:
    first = checkout.head
    checkout.commit(COMPATIBLE["a field to get"], "1.1.0")
    checkout.commit(COMPATIBLE["a field to get"], "1.1.0", release=True)
    # A release is compared with the one before it.
    assert checkout.check() == (
        0,
        f"breaking changes: comparing docs/openapi.yaml with baseline/openapi.yaml "
        f"of {first}\nbreaking changes: 0 from 1.0.0 to 1.1.0\n",
    )
    second = checkout.head
    checkout.commit(COMPATIBLE["nothing"], "1.2.0")

    status, said = checkout.check()

    assert status == 1
    assert f"with baseline/openapi.yaml of {second}" in said
    assert f"- 200 answer.more is gone: {GET}" in said


def test_change_that_was_not_released_binds_nobody(checkout: Checkout) -> None:
    checkout.commit(COMPATIBLE["a field to get"], "1.1.0")
    checkout.commit(COMPATIBLE["nothing"], "1.1.0")

    assert checkout.check()[0] == 0


def test_release_that_breaks_clients_is_found_there_and_afterwards(
    checkout: Checkout,
) -> None:
    checkout.commit(no_get, "1.1.0", release=True)
    assert checkout.check()[0] == 1
    checkout.commit(no_get, "1.1.0")

    status, said = checkout.check()

    assert status == 1
    assert f"- the operation is gone: {GET}\n" in said


def test_intended_change_with_a_new_major_number_passes(checkout: Checkout) -> None:
    checkout.commit(no_get, "2.0.0", release=True)

    status, said = checkout.check()

    assert status == 0
    assert f"- the operation is gone: {GET}\n" in said
    assert said.endswith("1 from 1.0.0 to 2.0.0, as its major number says\n")


def test_missing_baseline_is_refused(checkout: Checkout) -> None:
    checkout.baseline.unlink()
    checkout.commit(no_get, "1.1.0")

    status, said = checkout.check()

    assert status == 1
    assert "There is no baseline/openapi.yaml" in said


def test_clone_without_history_is_refused(checkout: Checkout, tmp_path: Path) -> None:
    checkout.commit(no_get, "1.1.0")
    checkout.git("clone", "--quiet", "--depth=1", f"file://{tmp_path}", "shallow")

    status, said = checkout.check(tmp_path / "shallow")

    assert status == 1
    assert "shallow" in said


def test_place_without_git_is_refused(checkout: Checkout) -> None:
    shutil.rmtree(checkout.folder / ".git")

    status, said = checkout.check()

    assert status == 1
    assert "git" in said
