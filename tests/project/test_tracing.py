"""What the collector is told, where the packages for it are installed."""

import io
import json
import logging
import os
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from django.conf import LazySettings
from django.core.cache import cache
from django.test import Client
from rest_framework.test import APIClient

from accounts.auth.jwt import AccessToken
from accounts.models import User
from accounts.views import MeView
from taskapi.http import logs
from tasks.models import Task
from tests.factories import make_session
from tests.project.wire import anyone, assert_error

WHY = "needs requirements-tracing.txt"
pytest.importorskip("opentelemetry.sdk", reason=WHY)

from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor  # noqa: E402
from opentelemetry.instrumentation.redis import RedisInstrumentor  # noqa: E402
from opentelemetry.sdk.trace import ReadableSpan  # noqa: E402
from opentelemetry.sdk.trace.export import SimpleSpanProcessor  # noqa: E402
from opentelemetry.sdk.trace.export.in_memory_span_exporter import (  # noqa: E402
    InMemorySpanExporter,
)

from taskapi.http import tracing  # noqa: E402

Spans = Callable[[], list[ReadableSpan]]
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"


@pytest.fixture(scope="module")
def exporter() -> Iterator[InMemorySpanExporter]:
    """Everything traced, for this module."""
    memory = InMemorySpanExporter()
    tracing.instrument(SimpleSpanProcessor(memory))
    yield memory
    logs.get_trace_id = None
    PsycopgInstrumentor().uninstrument()
    RedisInstrumentor().uninstrument()


@pytest.fixture(autouse=True)
def spans(exporter: InMemorySpanExporter, settings: LazySettings) -> Spans:
    """What has been traced since the test began, the outermost last."""
    first = "taskapi.http.tracing.TracingMiddleware"
    settings.MIDDLEWARE = [first, *settings.MIDDLEWARE]
    exporter.clear()
    return lambda: list(exporter.get_finished_spans())


@pytest.fixture
def span(spans: Spans) -> Callable[[], ReadableSpan]:
    """The one span of a request."""

    def one() -> ReadableSpan:
        [found] = [each for each in spans() if each.kind.name == "SERVER"]
        return found

    return one


Span = Callable[[], ReadableSpan]


@pytest.fixture
def output() -> Iterator[io.StringIO]:
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonFormatter())
    logging.getLogger().addHandler(handler)
    yield stream
    logging.getLogger().removeHandler(handler)


def hex_trace(span: ReadableSpan) -> str:
    return format(span.context.trace_id, "032x")


@pytest.mark.django_db
def test_request_is_a_span_with_its_route_and_id(
    alice_api: APIClient, task: Task, span: Span
) -> None:
    path = f"/api/tasks/{task.pk}"
    response = alice_api.get(f"{path}?nothing=canary")

    found = span()
    assert found.name == "GET api/tasks/<id:id>"
    assert found.attributes == {
        "http.route": "api/tasks/<id:id>",
        "http.request.method": "GET",
        "url.path": path,
        "http.response.status_code": response.status_code,
        "taskapi.request_id": response["X-Request-Id"],
    }
    assert found.resource.attributes["service.name"] == "taskapi"
    assert "canary" not in found.to_json()


def test_every_log_line_of_a_request_names_its_trace(
    alice: User, output: io.StringIO, span: Span
) -> None:
    body = {"email": alice.email, "password": "wrong password"}
    APIClient().post("/api/auth/login", body, format="json")
    lines = [json.loads(line) for line in output.getvalue().splitlines()]

    assert {line["logger"] for line in lines} == {"accounts.audit", "taskapi.access"}
    assert {line["traceId"] for line in lines} == {hex_trace(span())}


def test_line_outside_of_a_request_names_no_trace(output: io.StringIO) -> None:
    logging.getLogger("other").warning("alone")

    assert "traceId" not in json.loads(output.getvalue())


def test_trace_of_the_caller_goes_on(span: Span) -> None:
    Client().get("/livez", HTTP_TRACEPARENT=f"00-{CALLER}-00f067aa0ba902b7-01")

    found = span()
    assert hex_trace(found) == CALLER
    assert found.parent
    assert found.parent.span_id == 0x00F067AA0BA902B7


@pytest.mark.parametrize("sent", ["", "nonsense", f"00-{CALLER}-0-01", "\xff" * 500])
def test_caller_that_sends_nonsense_gets_a_trace_of_its_own(
    span: Span, sent: str
) -> None:
    assert Client().get("/livez", HTTP_TRACEPARENT=sent).status_code == 200
    assert hex_trace(span()) != CALLER


def test_bad_host_and_made_up_method_are_answered_as_ever(spans: Spans) -> None:
    response = anyone().get("/api/tasks", HTTP_HOST="evil")
    message = "ALLOWED_HOSTS does not name this host."
    assert_error(response, 400, "BAD_REQUEST", message)
    assert anyone().generic("CANARY", "/livez").status_code == 405
    assert anyone().get("/livez", HTTP_HOST="10.0.0.7").status_code == 200

    assert [each.name for each in spans()] == ["GET", "HTTP livez", "GET livez"]


def test_crash_is_an_error_and_a_refusal_is_none(
    span: Span, spans: Spans, monkeypatch: pytest.MonkeyPatch
) -> None:
    def crash(*args: Any) -> None:
        raise RuntimeError

    anyone().get("/nothing")
    monkeypatch.setattr(MeView, "initial", crash)
    anyone().get("/api/auth/me")

    assert [each.status.is_ok for each in spans()] == [True, False]


@pytest.mark.django_db
def test_no_token_reaches_the_collector(alice: User, spans: Spans) -> None:
    token = str(AccessToken.for_session(make_session(alice)))
    APIClient().get("/api/tasks", HTTP_AUTHORIZATION=f"Bearer {token}")

    assert spans()
    for each in spans():
        assert token not in each.to_json()
        assert alice.email not in each.to_json()


def test_statement_is_a_span_without_its_values(spans: Spans) -> None:
    url = os.environ["DATABASE_URL"]
    if not url.startswith("postgres"):
        pytest.skip("needs PostgreSQL")
    with psycopg.connect(url) as connection:
        connection.execute("SELECT 1 WHERE 'a' <> %s", ["canary"])

    [found] = spans()
    assert found.attributes
    assert found.attributes["db.statement"] == "SELECT 1 WHERE 'a' <> %s"
    assert "canary" not in found.to_json()


def test_command_is_a_span_without_its_arguments(
    spans: Spans, settings: LazySettings
) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    cache.set("canary-key", "canary-value", 5)

    [found] = spans()
    assert found.name == "SET"
    assert "canary" not in found.to_json()
