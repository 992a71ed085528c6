from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from django.conf import LazySettings
from django.db import OperationalError
from django.test import Client
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry
from prometheus_client.parser import text_string_to_metric_families
from rest_framework.test import APIClient

from accounts import rate_limits
from accounts.models import User
from accounts.views import MeView
from taskapi.api import mail
from taskapi.api.rate_limit import RateLimit
from taskapi.db import clock
from taskapi.http import middleware, worker_slots
from taskapi.http.redis import circuit_breaker
from taskapi.outbox import messages
from taskapi.outbox.models import OutboxMessage
from tasks.models import Task
from tests.factories import PASSWORD, make_task
from tests.mailbox import deliver
from tests.project.wire import MISSING, anyone, assert_error

WRONG = "Incorrect authentication credentials."
Moved = Callable[[], dict[str, float]]


@pytest.fixture
def scraper(settings: LazySettings) -> Client:
    return Client(headers={"Authorization": f"Bearer {settings.METRICS_TOKEN}"})


def samples(name: str) -> dict[str, float]:
    """The values of one metric, by its labels' values."""
    return {
        " ".join(sample.labels.values()): sample.value
        for metric in REGISTRY.collect()
        for sample in metric.samples
        if sample.name == f"taskapi_{name}"
    }


@pytest.fixture
def moved() -> Callable[[str], Moved]:
    """What has been added to a metric since it was first looked at."""

    def watch(name: str) -> Moved:
        before = samples(name)

        def difference() -> dict[str, float]:
            after = samples(name)
            moves = {k: v - before.get(k, 0) for k, v in after.items()}
            return {labels: move for labels, move in moves.items() if move}

        return difference

    return watch


Watch = Callable[[str], Moved]


@pytest.mark.django_db
def test_scraper_gets_prometheus_text(scraper: Client) -> None:
    response = scraper.get("/metrics")

    assert response.status_code == 200
    assert response["Content-Type"] == "text/plain; version=0.0.4; charset=utf-8"
    assert response["Cache-Control"] == "no-store"
    assert b"\n# TYPE taskapi_http_requests_total counter\n" in response.content


@pytest.mark.django_db
@pytest.mark.parametrize("scheme", ["bearer", "BEARER"])
def test_scheme_may_be_written_in_any_case(settings: LazySettings, scheme: str) -> None:
    sent = f"{scheme} {settings.METRICS_TOKEN}"

    assert anyone().get("/metrics", HTTP_AUTHORIZATION=sent).status_code == 200


@pytest.mark.parametrize(
    "sent",
    [
        "Bearer nonsense",
        "Bearer",
        "Bearer ",
        "Basic {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer  {token}",
        "Bearer \xe9",
    ],
)
def test_wrong_token_is_401(settings: LazySettings, sent: str) -> None:
    header = sent.format(token=settings.METRICS_TOKEN)
    response = anyone().get("/metrics", HTTP_AUTHORIZATION=header)

    assert_error(response, 401, "AUTHENTICATION_ERROR", WRONG)
    assert response["WWW-Authenticate"] == "Bearer"


def test_missing_token_is_401() -> None:
    response = anyone().get("/metrics")

    assert_error(response, 401, "AUTHENTICATION_ERROR", MISSING)
    assert response["WWW-Authenticate"] == "Bearer"


@pytest.mark.django_db
def test_token_of_a_user_is_401(alice_api: APIClient) -> None:
    assert alice_api.get("/metrics").status_code == 401


@pytest.mark.parametrize("unset", [None, ""])
@pytest.mark.parametrize("sent", [None, "Bearer ", "Bearer None", "Bearer nonsense"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_without_a_token_of_its_own_there_is_no_such_route(
    settings: LazySettings, unset: str | None, sent: str | None, method: str
) -> None:
    settings.METRICS_TOKEN = unset
    headers = {"HTTP_AUTHORIZATION": sent} if sent else {}
    client = Client(enforce_csrf_checks=True)
    response = client.generic(method, "/metrics", **headers)

    assert_error(response, 404, "NOT_FOUND", "No such route.")


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"])
def test_other_methods_are_405(scraper: Client, method: str) -> None:
    response = scraper.generic(method, "/metrics")

    message = f'Method "{method}" not allowed.'
    assert_error(response, 405, "METHOD_NOT_ALLOWED", message)


@pytest.mark.django_db
def test_scraper_may_name_any_host(scraper: Client) -> None:
    assert scraper.get("/metrics", HTTP_HOST="10.0.0.7:8000").status_code == 200


@pytest.mark.django_db
def test_requests_are_counted_by_route_method_and_status(
    alice_api: APIClient, task: Task, moved: Watch
) -> None:
    requests = moved("http_requests_total")
    seconds = moved("http_request_duration_seconds_count")
    for _ in range(3):
        alice_api.get(f"/api/tasks/{task.pk}")
    alice_api.delete(f"/api/tasks/{task.pk}")
    alice_api.get(f"/api/tasks/{task.pk}")

    assert requests() == {
        "api/tasks/<id:id> GET 200": 3,
        "api/tasks/<id:id> DELETE 204": 1,
        "api/tasks/<id:id> GET 404": 1,
    }
    assert seconds() == {"api/tasks/<id:id>": 5}


def test_what_matches_no_route_has_one_label(moved: Watch) -> None:
    requests = moved("http_requests_total")
    client = anyone()
    client.get("/canary-1")
    client.get("/canary-2/<x>")
    client.get("/api/auth/me", HTTP_HOST="evil")

    assert requests() == {"unmatched GET 404": 2, "unmatched GET 400": 1}


def test_methods_that_clients_make_up_have_one_label(moved: Watch) -> None:
    requests = moved("http_requests_total")
    client = anyone()
    for method in ["CANARY", "PURGE", "TRACE", 'X"\n']:
        client.generic(method, "/livez")

    assert requests() == {"livez other 405": 4}


@pytest.mark.django_db
def test_crash_is_counted(monkeypatch: pytest.MonkeyPatch, moved: Watch) -> None:
    def crash(*args: Any) -> None:
        raise RuntimeError

    monkeypatch.setattr(MeView, "initial", crash)
    requests = moved("http_requests_total")
    anyone().get("/api/auth/me")

    assert requests() == {"api/auth/me GET 500": 1}
    assert samples("http_requests_in_flight") == {"": 0}


def test_time_is_in_seconds(moved: Watch, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([100.0, 100.25])
    timer = SimpleNamespace(perf_counter=lambda: next(clock))
    monkeypatch.setattr(middleware, "time", timer)
    seconds = moved("http_request_duration_seconds_sum")
    buckets = moved("http_request_duration_seconds_bucket")
    anyone().get("/livez")

    assert seconds() == {"livez": 0.25}
    assert set(buckets()) == {
        f"livez {le}" for le in [0.25, 0.5, 1.0, 2.5, 5.0, "+Inf"]
    }


@pytest.mark.django_db
def test_scrape_is_in_flight_itself(scraper: Client) -> None:
    lines = scraper.get("/metrics").content.decode().splitlines()

    assert "taskapi_http_requests_in_flight 1.0" in lines


@pytest.mark.django_db
def test_nothing_about_a_person_is_told(
    alice: User, alice_api: APIClient, scraper: Client, settings: LazySettings
) -> None:
    task = make_task(alice, title="canary-title")
    alice_api.get(f"/api/tasks/{task.pk}?q=canary-query")
    body = {"email": alice.email, "password": PASSWORD}
    token = alice_api.post("/api/auth/login", body, format="json").json()["accessToken"]
    alice_api.get("/canary-path", HTTP_USER_AGENT="canary-agent")
    told = scraper.get("/metrics").content.decode()

    assert "api/tasks/<id:id>" in told
    keys = [settings.METRICS_TOKEN, settings.SECRET_KEY, settings.JWT_ACCESS_SECRET]
    person = [str(alice.pk), alice.email, alice.name, "127.0.0.1"]
    for word in [*keys, *person, token, str(task.pk), "canary"]:
        assert word not in told


@pytest.mark.django_db(transaction=True)
def test_created_tasks_are_counted(alice_api: APIClient, moved: Watch) -> None:
    created = moved("tasks_created_total")
    alice_api.post("/api/tasks", {"title": "One"}, format="json")
    one = {"op": "create", "data": {"title": "Of two"}}
    batch = {"operations": [one, one]}
    response = alice_api.post("/api/tasks/batch", batch, format="json")

    assert response.status_code == 200, response.content
    assert created() == {"": 3}


@pytest.mark.django_db(transaction=True)
def test_task_that_a_retry_finds_made_is_counted_once(
    alice_api: APIClient, moved: Watch
) -> None:
    created = moved("tasks_created_total")
    for _ in range(3):
        alice_api.post(
            "/api/tasks", {"title": "Once"}, "json", HTTP_IDEMPOTENCY_KEY="k"
        )

    assert created() == {"": 1}


@pytest.mark.django_db(transaction=True)
def test_task_that_was_not_made_is_not_counted(
    alice_api: APIClient, moved: Watch, monkeypatch: pytest.MonkeyPatch
) -> None:
    created = moved("tasks_created_total")
    one = {"op": "create", "data": {"title": "Rolled back"}}
    bad = {"op": "delete", "id": "00000000-0000-4000-8000-000000000000"}
    batch = {"operations": [one, bad]}
    response = alice_api.post("/api/tasks/batch", batch, format="json")

    assert response.status_code == 404, response.content
    assert created() == {}


@pytest.mark.django_db
def test_lists_are_counted_as_found_or_not(alice_api: APIClient, moved: Watch) -> None:
    lookups = moved("cache_lookups_total")
    for _ in range(3):
        alice_api.get("/api/tasks")

    assert lookups() == {"miss": 1, "hit": 2}


@pytest.mark.django_db
def test_command_that_redis_does_not_answer_is_an_error(
    alice_api: APIClient,
    moved: Watch,
    settings: LazySettings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    if not settings.REDIS_URL:
        pytest.skip("needs Redis")
    monkeypatch.setattr("taskapi.http.redis.OPEN_SECONDS", 60)
    errors = moved("cache_errors_total")
    circuit_breaker.open()
    alice_api.get("/livez")
    assert errors() == {}
    alice_api.get("/api/tasks")

    # The limit is counted, the list looked for and stored.
    assert errors() == {"": 3}


@pytest.mark.parametrize(("hits", "beyond"), [(2, {}), (5, {"auth": 3})])
def test_requests_beyond_a_limit_are_counted(
    settings: LazySettings, moved: Watch, hits: int, beyond: dict[str, float]
) -> None:
    settings.RATE_LIMITS = settings.RATE_LIMITS | {"auth": RateLimit(2, 60)}
    over = moved("limit_hits_total")
    for _ in range(hits):
        rate_limits.increment("auth", "somebody")

    assert over() == beyond


def test_all_metrics_are_ours_and_described() -> None:
    ours = [m for m in REGISTRY.collect() if m.name.startswith("taskapi_")]

    assert isinstance(REGISTRY, CollectorRegistry)
    assert len(ours) == 7
    assert all(metric.documentation.endswith(".") for metric in ours)


@pytest.mark.parametrize(
    ("taken", "slot"), [([], 0), ([0], 1), ([1], 0), ([0, 2], 1), ([1, 0], 2)]
)
def test_worker_gets_the_lowest_free_slot(
    taken: list[int], slot: int, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    monkeypatch.setattr(worker_slots, "worker_slot", 9)
    monkeypatch.setattr(worker_slots, "process_id", "master")

    assert worker_slots.allocate_slot(iter(taken)) == slot
    assert worker_slots.process_id == "master"
    worker_slots.bind_slot()
    assert worker_slots.process_id == slot


def test_released_slot_keeps_its_counters(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PROMETHEUS_MULTIPROC_DIR", str(tmp_path))
    names = ["counter_1.db", "gauge_livesum_1.db", "gauge_livesum_11.db"]
    for name in names:
        (tmp_path / name).touch()
    worker_slots.release_slot(1)

    assert {path.name for path in tmp_path.iterdir()} == {names[0], names[2]}


@pytest.fixture
def of_outbox(scraper: Client) -> Callable[[str], dict[str, float]]:
    """The values of one of its metrics, as they are scraped."""

    def scrape(name: str) -> dict[str, float]:
        text = scraper.get("/metrics").content.decode()
        return {
            " ".join(sample.labels.values()): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
            if sample.name == f"taskapi_outbox_{name}"
        }

    return scrape


Scrape = Callable[[str], dict[str, float]]


@pytest.mark.django_db
def test_what_waits_in_the_outbox_is_told(
    of_outbox: Scrape, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = timezone.now()
    monkeypatch.setattr(clock, "now", lambda: now)
    first = messages.send("mail", {}, channel="a", ordering_key="k")
    messages.send("mail", {}, channel="a", ordering_key="k")
    monkeypatch.setattr(clock, "now", lambda: now + timedelta(seconds=100))

    assert of_outbox("messages")["mail"] == 2
    assert of_outbox("messages")["invitation"] == 0
    assert of_outbox("oldest_seconds")["mail"] == 100
    assert of_outbox("overdue_seconds")["mail"] == 100
    # The second waits for the first now, and not for a worker.
    OutboxMessage.objects.filter(pk=first.pk).update(
        next_attempt_at=now + timedelta(seconds=200)
    )
    assert of_outbox("oldest_seconds")["mail"] == 100
    assert of_outbox("overdue_seconds")["mail"] == 0


@pytest.mark.django_db
def test_deliveries_are_counted_by_outcome(of_outbox: Scrape) -> None:
    for _ in range(2):
        mail.send("Subject", "Text", "al@example.com")
    deliver()

    counted = {k: v for k, v in of_outbox("deliveries_total").items() if v}
    assert counted == {"mail delivered": 2}
    assert of_outbox("messages")["mail"] == 0


def test_other_metrics_are_told_while_the_database_is_away(
    scraper: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail() -> None:
        raise OperationalError

    monkeypatch.setattr(clock, "now", fail)
    text = scraper.get("/metrics").content

    assert b"taskapi_outbox" not in text
    assert b"taskapi_http_requests_total" in text
