"""Schemathesis, with all its checks and phases, as two users at once.

TASKAPI_FUZZ_SECONDS says how long, TASKAPI_FUZZ_SEED where it starts.
"""

import os
import sys
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.contract.document import document
from tests.live.conftest import environment
from tests.live.fuzz.run import PHASES, Run
from tests.live.people import login, read_task
from tests.live.server import Server

pytestmark = [pytest.mark.full, pytest.mark.live]
SECONDS = int(os.environ.get("TASKAPI_FUZZ_SECONDS") or 150)
SEED = int(os.environ.get("TASKAPI_FUZZ_SEED") or 1)
# Needs what only a mail tells.
NEVER_DONE = {
    *("confirmEmail", "resetPassword"),
    # Only a personal token has one.
    "getCurrentToken",
    # There is nothing to deliver again where no worker runs.
    "redeliver",
    *("acceptInvitation", "declineInvitation", "updateMember", "removeMember"),
}


@pytest.fixture
def server(database: str, folder: Path) -> Iterator[Server]:
    """One of its own: others shall not find what is left behind by this."""
    with closing(Server(folder, environment(database))) as server:
        yield server


@pytest.fixture
def runs(
    server: Server, tmp_path: Path, program: Callable[..., str]
) -> Iterator[list[Run]]:
    command = program("schemathesis", str(Path(sys.executable).parent))
    runs = [
        Run(server, tmp_path / str(n), command, seconds=SECONDS, seed=SEED + n)
        for n in range(2)
    ]
    yield runs
    for run in runs:
        run.process.kill()
        run.process.wait()


def test_no_request_finds_fault_with_the_api(
    server: Server, runs: list[Run], record: Callable[[str], None]
) -> None:
    workers = server.workers()
    for run in runs:
        run.process.wait()
    faults = [
        f"{run.output.read_text()}\nended with {run.process.returncode}"
        for run in runs
        if run.process.returncode
    ]
    assert not faults, "\n".join(faults)
    for run in runs:
        record(run.figures())
        assert_all_was_tried(run)
        peer = login(server, run.peer.email)
        assert read_task(server, peer, run.theirs["id"]) == run.theirs
    assert server.failures() == []
    assert server.workers() == workers


def assert_all_was_tried(run: Run) -> None:
    """Else a fuzzer whose every request is refused at the door would find no fault."""
    report, total = run.report, len(document().operations)
    done = {name for name, status in run.answers if 200 <= status < 300}

    assert {n: p["status"] for n, p in report["phases"].items()} == dict.fromkeys(
        PHASES, "success"
    )
    assert report["operations"]["tested"] == total
    assert report["test_cases"]["errored"] == 0
    assert document().operations.keys() - done == NEVER_DONE, run.answers
