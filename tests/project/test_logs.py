import io
import json
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from accounts.views import MeView
from taskapi.http.logs import JsonFormatter, TerminalFormatter, configuration
from tasks.models import Task
from tests.factories import PASSWORD
from tests.project.wire import JSON, anyone

CANARY = "canary-5e1f"
Lines = Callable[[], list[dict[str, Any]]]


@contextmanager
def printed(formatter: logging.Formatter) -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(formatter)
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    """What the process would have printed."""
    with printed(JsonFormatter()) as stream:
        yield stream


@pytest.fixture
def terminal() -> Iterator[io.StringIO]:
    """What it would have printed on a terminal."""
    with printed(TerminalFormatter()) as stream:
        yield stream


@pytest.fixture
def lines(output: io.StringIO) -> Lines:
    """Every line so far, each of which must be one JSON object."""
    return lambda: [json.loads(line) for line in output.getvalue().split("\n")[:-1]]


@pytest.fixture
def access(lines: Lines) -> Callable[[], dict[str, Any]]:
    """The one access line."""

    def one() -> dict[str, Any]:
        [line] = [line for line in lines() if line["logger"] == "taskapi.access"]
        return line

    return one


Access = Callable[[], dict[str, Any]]


def test_request_is_one_line(
    alice_api: APIClient, alice: User, task: Task, lines: Lines
) -> None:
    before = datetime.now(UTC)
    response = alice_api.get(f"/api/tasks/{task.pk}")
    [line] = lines()

    logged = datetime.fromisoformat(line.pop("time"))
    assert before <= logged <= datetime.now(UTC)
    assert logged.utcoffset() == timedelta(0)
    assert 0 < line.pop("durationMs") < 10_000
    assert line == {
        "level": "INFO",
        "logger": "taskapi.access",
        "message": "request",
        "requestId": response["X-Request-Id"],
        "method": "GET",
        "path": f"/api/tasks/{task.pk}",
        "route": "api/tasks/<id:id>",
        "status": 200,
        "userId": str(alice.pk),
        "address": "127.0.0.1",
    }


@pytest.mark.parametrize("letter", ["a", "ü", "\x1b"])
def test_long_path_is_cut(output: io.StringIO, letter: str) -> None:
    """A stranger chooses it, and a line escapes up to six characters for one."""
    anyone().get("/" + quote(letter * 8000))
    [line] = output.getvalue().splitlines()

    assert json.loads(line)["path"] == "/" + letter * 255
    assert len(line) < 2_000


def test_request_without_route_or_user_says_so(access: Access) -> None:
    anyone().post("/nothing")
    line = access()

    assert (line["route"], line["userId"], line["status"]) == (None, None, 404)


@pytest.mark.django_db
def test_refused_token_names_no_user(access: Access, api: APIClient) -> None:
    api.get("/api/tasks", HTTP_AUTHORIZATION="Bearer nonsense")
    line = access()

    assert (line["userId"], line["status"]) == (None, 401)


def test_clients_request_id_is_logged(access: Access) -> None:
    anyone().get("/livez", HTTP_X_REQUEST_ID="from-the-client")

    assert access()["requestId"] == "from-the-client"


def test_request_id_does_not_outlive_its_request(lines: Lines) -> None:
    anyone().get("/livez", HTTP_X_REQUEST_ID="from-the-client")
    logging.getLogger("other").warning("afterwards")

    assert "requestId" not in lines()[-1]


@pytest.mark.django_db
def test_query_string_is_not_logged(
    alice_api: APIClient, access: Access, output: io.StringIO
) -> None:
    alice_api.get(f"/api/tasks?q={CANARY}")

    assert access()["status"] == 200
    assert CANARY not in output.getvalue()


def test_level_silences_requests(
    lines: Lines, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "taskapi")
    anyone().get("/livez")

    assert lines() == []


def test_what_other_formatters_leave_on_a_record_is_not_told() -> None:
    record = logging.makeLogRecord({"msg": "one", "message": "two", "own": 3})
    line = json.loads(JsonFormatter().format(record))

    assert (line["message"], line["own"]) == ("one", 3)


def test_bad_host_is_one_line(lines: Lines) -> None:
    anyone().get("/health", HTTP_HOST="evil.example")
    [line] = lines()

    assert (line["logger"], line["status"]) == ("taskapi.access", 400)


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("register", {"name": CANARY, "email": "x@example.com", "password": CANARY}),
        ("register", {"name": "x", "email": "x@example.com", "password": "p"}),
        ("login", {"email": f"{CANARY}@example.com", "password": CANARY}),
        ("login", {"email": "alice@example.com", "password": CANARY}),
        ("login", {"email": "x", "password": CANARY, "surplus": CANARY}),
        ("refresh", {"refreshToken": CANARY}),
        ("logout", {"refreshToken": CANARY}),
        ("password/forgot", {"email": f"{CANARY}@example.com"}),
        ("password/reset", {"token": CANARY, "newPassword": CANARY}),
    ],
)
def test_bodies_are_not_logged(
    alice: User,
    api: APIClient,
    lines: Lines,
    output: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
    path: str,
    body: dict[str, str],
) -> None:
    api.post(f"/api/auth/{path}", body, format="json")

    assert lines()
    assert CANARY not in output.getvalue()


@pytest.mark.django_db
def test_tokens_are_not_logged(
    alice: User, api: APIClient, lines: Lines, output: io.StringIO
) -> None:
    body = {"email": alice.email, "password": PASSWORD}
    tokens = api.post("/api/auth/login", body, format="json").json()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {tokens['accessToken']}")
    api.get("/api/auth/me")
    refresh = {"refreshToken": tokens["refreshToken"]}
    api.post("/api/auth/refresh", refresh, format="json")
    api.post("/api/auth/logout", refresh, format="json")

    statuses = [line["status"] for line in lines() if "status" in line]
    assert statuses == [200, 200, 200, 204]
    assert "eyJ" not in output.getvalue()
    assert PASSWORD not in output.getvalue()


@pytest.mark.django_db
def test_crash_is_logged_once_with_its_trace_and_without_the_request(
    alice: User,
    alice_api: APIClient,
    lines: Lines,
    output: io.StringIO,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def crash(*args: Any) -> None:
        raise RuntimeError("what broke")

    monkeypatch.setattr(MeView, "patch", crash)
    alice_api.raise_request_exception = False
    response = alice_api.patch("/api/auth/me", {"name": CANARY}, format="json")
    crashed, request = lines()

    assert crashed["level"] == "ERROR"
    assert crashed["requestId"] == request["requestId"] == response["X-Request-Id"]
    assert "RuntimeError: what broke" in crashed["exception"]
    assert request["status"] == 500
    assert CANARY not in output.getvalue()
    assert "eyJ" not in output.getvalue()


FORGED = '{"logger": "accounts.audit", "event": "login_ok"}'


@pytest.mark.parametrize("break_", ["\r\n", "\n", "\r", "\u2028", "\x85", "\x0b"])
def test_path_cannot_forge_a_line(
    break_: str, lines: Lines, output: io.StringIO
) -> None:
    anyone().get(quote(f"/nothing{break_}{FORGED}"))

    assert len(output.getvalue().splitlines()) == len(lines()) == 1
    assert lines()[0]["path"] == f"/nothing{break_}{FORGED}"


def test_path_cannot_move_the_terminal(lines: Lines, output: io.StringIO) -> None:
    anyone().get(quote("/\x1b[2J\x07\u202e"))

    assert len(lines()) == 1
    assert output.getvalue().isascii()
    assert output.getvalue().rstrip("\n").isprintable()


@pytest.mark.django_db
def test_user_agent_and_name_cannot_forge_a_line(
    api: APIClient, lines: Lines, output: io.StringIO
) -> None:
    body = {"name": f"x\n{FORGED}", "email": "x@example.com", "password": PASSWORD}
    agent = f"x\r\n{FORGED}\x1b[2J"
    api.post("/api/auth/register", body, format="json", HTTP_USER_AGENT=agent)

    assert [line["logger"] for line in lines()] == ["accounts.audit", "taskapi.access"]
    assert output.getvalue().replace("\n", "").isprintable()


@pytest.mark.django_db
def test_login_is_audited(
    alice: User, api: APIClient, lines: Lines, output: io.StringIO
) -> None:
    body = {"email": alice.email, "password": PASSWORD}
    response = api.post("/api/auth/login", body, format="json")
    audited, _ = lines()

    session = alice.sessions.get()
    assert audited.pop("time").endswith("+00:00")
    assert audited == {
        "level": "INFO",
        "logger": "accounts.audit",
        "message": "login_ok",
        "requestId": response["X-Request-Id"],
        "event": "login_ok",
        "userId": str(alice.pk),
        "sessionId": str(session.pk),
        "address": "127.0.0.1",
    }


@pytest.mark.django_db
@pytest.mark.parametrize("email", ["alice@example.com", "nobody@example.com"])
def test_failed_login_is_audited_without_the_address_book(
    alice: User, api: APIClient, lines: Lines, output: io.StringIO, email: str
) -> None:
    body = {"email": email, "password": "wrong password"}
    api.post("/api/auth/login", body, format="json")
    audited, _ = lines()

    assert (audited["event"], audited["userId"]) == ("login_failed", None)
    assert len(audited["account"]) == 64
    assert email not in output.getvalue()


@pytest.mark.django_db
def test_malformed_body_is_not_logged(api: APIClient, output: io.StringIO) -> None:
    body = f'{{"password": "{CANARY}"'
    api.generic("POST", "/api/auth/login", body, JSON)

    assert output.getvalue().count("\n") == 1
    assert CANARY not in output.getvalue()


def test_values_that_json_lacks_are_written_as_text(lines: Lines) -> None:
    now = datetime.now(UTC)
    logging.getLogger("other").warning("%s is odd", "this", extra={"when": now})

    [line] = lines()
    assert (line["message"], line["when"]) == ("this is odd", str(now))


def test_terminal_shows_a_request_in_one_short_line(
    terminal: io.StringIO, alice_api: APIClient
) -> None:
    response = alice_api.get("/api/auth/me")

    request_id = response["X-Request-Id"]
    assert re.fullmatch(
        r"\d\d:\d\d:\d\d INFO    GET /api/auth/me 200 [\d.]+ ms"
        rf" requestId={request_id}\n",
        terminal.getvalue(),
    )


def test_terminal_shows_exceptions_as_python_does(terminal: io.StringIO) -> None:
    try:
        raise ValueError("bad\x1b[31m")
    except ValueError:
        logging.getLogger("x").exception(
            "failed", extra={"path": "/a\n\x1b[2J", "n": None}
        )
    first, second, *_, last = terminal.getvalue().splitlines()

    assert first.endswith(r" ERROR   x failed path=/a\n\x1b[2J")
    assert second == "Traceback (most recent call last):"
    assert last == r"ValueError: bad\x1b[31m"


@pytest.mark.parametrize("is_terminal", [True, False])
def test_lines_are_for_people_on_a_terminal_only(
    monkeypatch: pytest.MonkeyPatch, is_terminal: bool
) -> None:
    monkeypatch.setattr("sys.stdout", SimpleNamespace(isatty=lambda: is_terminal))
    chosen = configuration("INFO", {})["formatters"]["line"]["()"]

    assert chosen.endswith("TerminalFormatter" if is_terminal else "JsonFormatter")
