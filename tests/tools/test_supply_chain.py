"""What is deployed: its licences, and what the audit makes of pip-audit's answers."""

import json
import re
import runpy
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings

ROOT: Path = settings.BASE_DIR
LICENCES = runpy.run_path(str(ROOT / ".ci" / "licences.py"))
AUDIT = runpy.run_path(str(ROOT / ".ci" / "audit.py"))
CLEAN, FOUND, NOT_ASKED = 0, 1, 2
HOLE = {"id": "PYSEC-2030-1", "fix_versions": ["5.2.99"]}


def test_list_of_licences_is_up_to_date() -> None:
    versions = LICENCES["locked"]()
    found = {name: LICENCES["licence"](name) for name in versions}

    assert len(versions) > 30
    refused = {n for n, text in found.items() if not LICENCES["is_allowed"](n, text)}
    assert refused == set()
    written = (ROOT / "docs" / "licences.md").read_text()
    assert written == LICENCES["table"](found, versions), "run .ci/licences.py"


ALLOWED = {
    ("any", "MIT"): True,
    ("any", "BSD-3-Clause OR Apache-2.0"): True,
    ("any", "Apache-2.0 AND BSD-2-Clause"): True,
    ("psycopg", "LGPL-3.0-only"): True,
    ("any", "LGPL-3.0-only"): False,
    ("psycopg", "AGPL-3.0-only"): False,
    ("any", "MIT AND GPL-3.0-or-later"): False,
    ("any", "UNKNOWN"): False,
    ("any", "not said"): False,
    ("any", "not installed"): False,
    ("any", ""): False,
}


@pytest.mark.parametrize(("name", "expression"), ALLOWED)
def test_a_licence_nobody_has_read_is_refused(name: str, expression: str) -> None:
    assert LICENCES["is_allowed"](name, expression) is ALLOWED[name, expression]


def report(**packages: list[dict[str, Any]] | None) -> str:
    """Pip-audit's, with each package's vulnerabilities; None: it was skipped."""
    entries = [
        {"name": name, "skip_reason": "not found"}
        if holes is None
        else {"name": name, "version": "5.2.19", "vulns": holes}
        for name, holes in packages.items()
    ]
    return json.dumps({"dependencies": entries, "fixes": []})


VERDICTS = [
    (report(django=[], redis=[]), CLEAN, "2 packages"),
    (report(Django=[], redis=[]), CLEAN, "2 packages"),
    (report(django=[HOLE], redis=[]), FOUND, "django 5.2.19: PYSEC-2030-1"),
    # What is known is worth more than what is not.
    (report(django=[HOLE], redis=None), FOUND, "fixed in 5.2.99"),
    (report(django=[], redis=None), NOT_ASKED, "1: redis"),
    (report(django=None, redis=None), NOT_ASKED, "2: django, redis"),
    (report(django=[]), NOT_ASKED, "1: redis"),
    (report(), NOT_ASKED, "2: django, redis"),
    ("", NOT_ASKED, "no report"),
    ("{}", NOT_ASKED, "no report"),
]


@pytest.mark.parametrize(("output", "status", "words"), VERDICTS)
def test_nothing_asked_is_not_nothing_found(
    output: str, status: int, words: str
) -> None:
    found, (line,) = AUDIT["verdict"](output, {"django", "redis"})

    assert found == status
    assert words in line


def test_audit_expects_all_that_is_locked_for_this_system() -> None:
    text = (ROOT / "requirements.txt").read_text()
    every, here = (AUDIT["locked"](text, here=here) for here in (False, True))

    assert every == set(re.findall(r"(?m)^([\w.-]+)==", text))
    assert "psycopg-binary" in here
    assert ("colorama" in here) is (sys.platform == "win32")


def test_audit_says_when_it_does_not_run() -> None:
    done = subprocess.run(
        [sys.executable, ".ci/audit.py"],
        cwd=ROOT,
        env={},
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert "not run: set AUDIT=1" in done.stdout


@pytest.mark.parametrize(
    "lock", sorted(path.name for path in ROOT.glob("require*.txt"))
)
def test_every_lock_has_hashes_and_names_no_host(lock: str) -> None:
    text = (ROOT / lock).read_text()
    entries = re.split(r"(?m)^(?=[a-z])", text)[1:]

    assert entries
    assert [e for e in entries if "--hash=sha256:" not in e] == []
    assert "://" not in text
