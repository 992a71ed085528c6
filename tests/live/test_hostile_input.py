"""Input made to break things: every answer is right, and nothing is lost or leaks."""

import re
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from functools import partial
from http.client import HTTPException
from itertools import chain
from pathlib import Path
from time import monotonic
from typing import Any

import pytest

from tests.live import hostile, verdict
from tests.live.conftest import environment
from tests.live.corpus import (
    SECRET,
    Case,
    accounts,
    amplification,
    bodies,
    fields,
    framing,
    media_types,
    queries,
    targets,
    tokens,
)
from tests.live.hostile import Client
from tests.live.people import make_task, read_task, register
from tests.live.server import Server
from tests.live.wire import LIVEZ, Answer, request

pytestmark = pytest.mark.live
Record = Callable[[str], None]
THEMES: dict[str, list[Case]] = {
    "accounts": accounts.CASES,
    "amplification": amplification.CASES,
    "bodies": bodies.CASES,
    "fields": fields.CASES,
    "framing": framing.CASES,
    "media types": media_types.CASES,
    "queries": queries.CASES,
    "stalled": framing.STALLED,
    "targets": targets.CASES,
    "tokens": tokens.CASES,
}
SLOW = {"stalled": pytest.mark.full}  # for as long as the server has patience
LEAST = 200
AT_ONCE = 12
# Ten such bodies at once are 37; parsing one took 900.
MAX_GROWTH_MIB = 50


class Home:
    """An account with two tasks, and what its answers said of its tasks since."""

    def __init__(self, live: Server) -> None:
        self.live = live
        self.owner, self.stranger = register(live), register(live)
        self.task = make_task(live, self.owner, title="A witness")
        self.theirs = make_task(live, self.stranger, title="A stranger's")
        self.tasks = {self.task["id"]: self.task}
        self.add(make_task(live, self.owner, title="Behind the cursor"))
        page = self.get("/api/tasks?sort=title&limit=1")
        self.places = {
            "~TASK~": self.task["id"],
            "~STRANGERS_TASK~": self.theirs["id"],
            "~CURSOR~": page["nextCursor"],
        }

    def add(self, task: dict[str, Any]) -> None:
        self.tasks[task["id"]] = task

    def get(self, path: str) -> Any:
        answer = self.live.ask(request("GET", path, token=self.owner.access))
        assert answer.status == 200, answer.body
        return answer.json

    def signed(self) -> Client:
        mine = {"~TOKEN~": self.owner.access, "~REFRESH~": self.owner.refresh}
        line = f"Authorization: Bearer {self.owner.access}\r\n".encode()
        return Client(self.places | mine, line)

    def anonymous(self) -> Client:
        """Has tokens of the right form that nobody signed."""
        forged = self.owner.access[:-8] + "A" * 8
        return Client(self.places | {"~TOKEN~": forged, "~REFRESH~": forged})

    def listed(self) -> dict[str, Any]:
        """All tasks, as the server has them now."""
        found: list[Any] = []
        page = {"nextCursor": ""}
        while (cursor := page["nextCursor"]) is not None:
            more = f"&cursor={cursor}" if cursor else ""
            page = self.get(f"/api/tasks?limit=100{more}")
            found += page["items"]
        return {task["id"]: task for task in found}


@pytest.fixture
def home(live: Server) -> Home:
    return Home(live)


def test_corpus_is_large_and_has_nothing_twice() -> None:
    corpus = list(chain.from_iterable(THEMES.values()))
    messages = Counter((case.message, case.then) for case in corpus)
    names = Counter(case.name for case in corpus)

    assert [name for name, times in names.items() if times > 1] == []
    assert [message[:99] for message, times in messages.items() if times > 1] == []
    assert len(corpus) >= LEAST


@pytest.mark.parametrize("who", ["signed", "anonymous"])
@pytest.mark.parametrize(
    "theme",
    [pytest.param(theme, marks=SLOW.get(theme, ())) for theme in THEMES],
)
def test_hostile_input_is_refused_in_the_one_shape(
    live: Server, home: Home, record: Record, theme: str, who: str
) -> None:
    client, cases = getattr(home, who)(), THEMES[theme]
    workers, started = live.workers(), monotonic()

    def ask(case: Case) -> list[str]:
        try:
            answers = hostile.send(live.port, client.fill(case.message), case.then)
        except (OSError, ValueError, HTTPException) as error:
            return [f"{case.name}: {error!r}"]
        if who == "signed" and answers and answers[0].status in {200, 201}:
            note(home, case, answers[0])
        found = list(verdict.faults(case, getattr(case, who), answers))
        return [f"{case.name}: {'; '.join(found)}"] if found else []

    # Of large bodies one at a time is handled, and the next ones wait for so long.
    at_once = {"stalled": len(cases), "amplification": 4}.get(theme, AT_ONCE)
    with ThreadPoolExecutor(at_once) as pool:
        wrong = list(chain.from_iterable(pool.map(ask, cases)))

    record(f"{len(cases)} requests in {monotonic() - started:.1f} s")
    assert not wrong, "\n".join(wrong)
    assert live.ask(LIVEZ).status == 200
    assert live.workers() == workers
    assert home.listed() == home.tasks
    assert read_task(live, home.stranger, home.theirs["id"]) == home.theirs
    assert live.failures() == []
    assert SECRET.encode() not in live.log.read_bytes()


def note(home: Home, case: Case, answer: Answer) -> None:
    """Remember what an accepted request is said to have made or changed."""
    body = answer.json if answer.body.startswith(b"{") else {}
    if "title" in body and body["userId"] == str(home.owner.user_id):
        home.add(body)


@pytest.mark.full
def test_no_request_takes_much_memory(
    database: str, folder: Path, record: Record
) -> None:
    with closing(Server(folder, environment(database))) as server:
        home = Home(server)
        corpus = [c for t, cases in THEMES.items() if t != "stalled" for c in cases]
        messages = [(home.signed().fill(each.message), each.then) for each in corpus]
        worst = [home.signed().fill(each) for each in amplification.HEAVIEST]
        before = {pid: memory(pid, "VmRSS") for pid in server.workers()}
        with ThreadPoolExecutor(AT_ONCE) as pool:
            list(pool.map(partial(try_sending, server.port), messages))
            # Who left at once would be followed by ten more while these are handled.
            for each in worst:
                list(
                    pool.map(partial(try_sending, server.port), [(each, "waits")] * 10)
                )

        growth = [memory(pid, "VmHWM") - rss for pid, rss in before.items()]
    told = ", ".join(f"{each:.0f}" for each in growth)
    record(f"{len(messages)} requests, then 10 at once of {len(worst)}: {told} MiB")
    assert max(growth) < MAX_GROWTH_MIB


def try_sending(port: int, message_then: tuple[bytes, str]) -> None:
    with suppress(OSError, ValueError, HTTPException):
        hostile.send(port, *message_then)


def memory(pid: int, name: str) -> float:
    """A value of proc_pid_status(5) in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(rf"^{name}:\s+(\d+) kB", status, re.MULTILINE)
    assert found
    return int(found[1]) / 1024
