"""Every answer that a test receives is judged by docs/openapi.yaml, and a run of the
whole suite must have seen every documented status of every operation.

Loaded by `-p`, before Django's settings are: what needs them is imported late.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from tests.contract.document import Answer, Pair, document

KEY = "contract"
# Of a run that is to be judged: whatever leaves tests out is not set.
NARROWING = [
    "keyword",
    "markexpr",
    "deselect",
    "ignore",
    "ignore_glob",
    "lf",
    "stepwise",
]
MISSED = pytest.StashKey[list[Pair]]()


@pytest.fixture(scope="session", autouse=True)
def _judged_clients() -> Iterator[None]:
    """Django's test clients, and DRF's, which are made of them, judge what they get."""
    from django.test import Client

    ask = Client.request

    def request(self: Any, **environ: Any) -> Any:
        response = ask(self, **environ)
        judge(response)
        return response

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Client, "request", request)
        yield


def judge(response: Any) -> None:
    if response.streaming:
        response.streaming_content = watched(response, response.streaming_content)
    else:
        document().judge(answer_of(response, response.content))


def watched(response: Any, pieces: Iterator[bytes]) -> Iterator[bytes]:
    """The pieces as they come; judged after the last one."""
    seen = []
    for piece in pieces:
        seen.append(piece)
        yield piece
    document().judge(answer_of(response, b"".join(seen)))


def answer_of(response: Any, body: bytes) -> Answer:
    asked = response.request
    return Answer(
        asked.get("REQUEST_METHOD", "GET"),
        asked["PATH_INFO"],
        response.status_code,
        dict(response.headers),
        body,
    )


def is_whole(config: pytest.Config) -> bool:
    """Whether this run leaves nothing out but, perhaps, what `--full` adds."""
    source = config.args_source
    if source is config.ArgsSource.ARGS:
        whole = [[str(config.rootpath / "tests")], ["tests"], ["tests/"]]
        if list(config.args) not in whole:
            return False
    narrowed = any(getattr(config.option, name, None) for name in NARROWING)
    return not narrowed and not config.option.collectonly


def is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workeroutput")


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node: Any) -> None:
    """In the controller of pytest-xdist: take in what a worker saw."""
    found = getattr(node, "workeroutput", {}).get(KEY, [])
    document().exercised.update(map(tuple, found))


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    seen = document().exercised
    if is_worker(session.config):
        session.config.workeroutput[KEY] = sorted(seen)  # type: ignore[attr-defined]
        return
    ended = exitstatus in {pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED}
    is_cut_short = session.shouldstop or session.shouldfail
    if ended and not is_cut_short and is_whole(session.config):
        missed = sorted(document().pairs() - seen)
        session.config.stash[MISSED] = missed
        if missed:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any, config: pytest.Config) -> None:
    missed = config.stash.get(MISSED, None)
    if missed is None:
        return
    total = len(document().pairs())
    terminalreporter.section("contract")
    for line in [
        *(f"FAILED: no test saw {name} answer {status}" for name, status in missed),
        f"{total - len(missed)} of {total} documented answers were seen",
    ]:
        terminalreporter.write_line(line, red=line.startswith("FAILED"))
