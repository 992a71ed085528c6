"""A run of a whole suite fails unless it saw every documented answer."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.contract.document import document

ROOT = Path(__file__).resolve().parents[2]
TOTAL = len(document().pairs())
# Two tests, so that two workers have something to tell, each of its half.
SUITE = """
import pytest
from tests.contract.document import document

PAIRS = sorted(document().pairs())

@pytest.mark.parametrize("half", [PAIRS[:100], PAIRS[100:]], ids=["one", "two"])
def test_answers(half):
    document().exercised |= set(half) - {{ {unseen!r} }}
"""


@pytest.fixture
def run(tmp_path: Path) -> "Run":
    return Run(tmp_path)


class Run:
    """A suite in a folder of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        (folder / "pytest.ini").write_text("[pytest]\ntestpaths = suite\n")
        (folder / "suite").mkdir()

    def __call__(self, *options: str, unseen: object = None) -> tuple[int, str]:
        (self.folder / "suite/test_it.py").write_text(SUITE.format(unseen=unseen))
        # Not as a worker of this run.
        environment = {k: v for k, v in os.environ.items() if "PYTEST" not in k}
        plugins = ["-p", "tests.contract.plugin", "-p", "no:django", "-p", "no:valkey"]
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *plugins, *options],
            cwd=self.folder,
            env=environment | {"PYTHONPATH": str(ROOT)},
            capture_output=True,
            text=True,
        )
        return done.returncode, done.stdout + done.stderr


MISSING = "FAILED: no test saw getTask answer 304"


def test_missing_answer_fails_the_suite(run: Run) -> None:
    status, output = run(unseen=("getTask", 304))

    assert (status, output.count("FAILED: no test")) == (1, 1), output
    assert MISSING in output
    assert f"{TOTAL - 1} of {TOTAL} documented answers were seen" in output


def test_nothing_missing_is_well(run: Run) -> None:
    status, output = run()

    assert status == 0, output
    assert f"{TOTAL} of {TOTAL} documented answers were seen" in output


@pytest.mark.parametrize(
    "options",
    [["-k", "one"], ["suite/test_it.py"], ["--deselect", "suite/test_it.py::x"]],
    ids=lambda options: options[0],
)
def test_part_of_a_suite_is_not_judged(run: Run, options: list[str]) -> None:
    status, output = run(*options, unseen=("getTask", 304))

    assert status == 0, output
    assert "documented answers" not in output


def test_workers_tell_what_they_saw(run: Run) -> None:
    status, output = run("-n", "2")
    assert (status, f"{TOTAL} of {TOTAL}" in output) == (0, True), output

    status, output = run("-n", "2", unseen=("getTask", 304))
    assert (status, MISSING in output) == (1, True), output
