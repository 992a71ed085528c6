"""Tasks that are due on a whole day of a time zone."""

from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import icalendar
import pytest
from django.core.management import call_command
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Status, Task
from tests.factories import make_task
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, details_of, ids, titles

BERLIN, TOKYO, SAMOA = "Europe/Berlin", "Asia/Tokyo", "Pacific/Pago_Pago"
# The 31st of December begins then.
IN_BERLIN, IN_TOKYO = "2025-12-30T23:00:00Z", "2025-12-30T15:00:00Z"
IN_SAMOA = "2025-12-31T11:00:00Z"
WHOLE_DAY = {"dueDate": IN_BERLIN, "isAllDay": True, "timeZone": BERLIN}

pytestmark = pytest.mark.django_db


def send(api: APIClient, **body: Any) -> Any:
    return api.post("/api/tasks", {"title": "Celebrate", **body}, format="json")


def patch(api: APIClient, pk: Any, **body: Any) -> Any:
    return api.patch(f"/api/tasks/{pk}", body, format="json")


def day(zone: str, due: str, **values: Any) -> dict[str, Any]:
    due_at = datetime.fromisoformat(due).astimezone(UTC)
    return {"due_at": due_at, "is_all_day": True, "time_zone": zone} | values


def test_task_is_due_on_a_whole_day(alice_api: APIClient) -> None:
    response = send(alice_api, **WHOLE_DAY)

    assert response.status_code == 201, response.content
    assert WHOLE_DAY.items() <= response.json().items()
    assert alice_api.get(response["Location"]).json() == response.json()


def test_task_is_due_at_a_time_unless_it_says_otherwise(alice_api: APIClient) -> None:
    task = send(alice_api).json()

    assert (task["isAllDay"], task["timeZone"]) == (False, None)


@pytest.mark.parametrize(
    ("zone", "begins"),
    [
        (BERLIN, "2025-12-31T00:00:00+01:00"),
        (TOKYO, "2025-12-31T00:00:00+09:00"),
        # The clocks skip from midnight to one.
        ("America/Santiago", "2027-09-05T01:00:00-03:00"),
        # They show midnight twice.
        ("America/Havana", "2026-11-01T00:00:00-04:00"),
        # The day begins in the middle of an hour of UTC.
        ("Asia/Kathmandu", "2025-12-31T00:00:00+05:45"),
    ],
)
def test_due_date_is_the_first_moment_of_the_day(
    alice_api: APIClient, zone: str, begins: str
) -> None:
    body = {"isAllDay": True, "timeZone": zone}

    assert send(alice_api, dueDate=begins, **body).status_code == 201
    moment = datetime.fromisoformat(begins)
    for other in (-timedelta(microseconds=1), timedelta(hours=1), timedelta(hours=9)):
        response = send(alice_api, dueDate=(moment + other).isoformat(), **body)
        assert details_of(response) == [("dueDate", "invalid")]


def test_wrong_moment_is_told_which_is_right(alice_api: APIClient) -> None:
    response = send(alice_api, **WHOLE_DAY | {"dueDate": "2025-12-31T17:00:00Z"})

    [detail] = response.json()["error"]["details"]
    assert BERLIN in detail["message"]
    assert f"begins at {IN_BERLIN}." in detail["message"]


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        ({"isAllDay": True}, ("timeZone", "required")),
        ({"isAllDay": True, "timeZone": None}, ("timeZone", "required")),
        ({"isAllDay": True, "timeZone": ""}, ("timeZone", "blank")),
        ({"isAllDay": True, "timeZone": "Mars"}, ("timeZone", "invalid")),
        ({"timeZone": "europe/berlin"}, ("timeZone", "invalid")),
        ({"timeZone": "../UTC"}, ("timeZone", "invalid")),
        ({"timeZone": 1}, ("timeZone", "invalid")),
        ({"timeZone": "U" * 65}, ("timeZone", "invalid")),
        ({"isAllDay": "true"}, ("isAllDay", "invalid")),
        ({"isAllDay": 1}, ("isAllDay", "invalid")),
        ({"isAllDay": None}, ("isAllDay", "null")),
    ],
)
def test_bad_value_is_refused(
    alice_api: APIClient, body: dict[str, Any], detail: tuple[str, str]
) -> None:
    assert details_of(send(alice_api, dueDate=IN_BERLIN, **body)) == [detail]


@pytest.mark.parametrize(
    "due", ["0001-01-01T00:00:00Z", "9999-12-31T00:00:00Z", "9999-12-31T23:59:59Z"]
)
@pytest.mark.parametrize("zone", ["UTC", "America/New_York", "Pacific/Kiritimati"])
def test_ends_of_the_calendar_are_refused_or_kept(
    alice_api: APIClient, zone: str, due: str
) -> None:
    response = send(alice_api, dueDate=due, isAllDay=True, timeZone=zone)

    assert response.status_code == 201 or details_of(response)


def test_time_of_a_whole_day_cannot_be_changed_alone(alice_api: APIClient) -> None:
    task = send(alice_api, **WHOLE_DAY).json()

    for body in ({"dueDate": "2025-12-31T09:00:00Z"}, {"timeZone": TOKYO}):
        response = patch(alice_api, task["id"], **body)
        assert details_of(response) == [("dueDate", "invalid")]
    response = patch(alice_api, task["id"], timeZone=None)
    assert details_of(response) == [("timeZone", "required")]
    assert alice_api.get(f"/api/tasks/{task['id']}").json() == task


def test_whole_day_becomes_a_time_and_back(alice_api: APIClient) -> None:
    task = send(alice_api, **WHOLE_DAY).json()

    body = {"isAllDay": False, "dueDate": "2025-12-31T09:00:00Z"}
    timed = patch(alice_api, task["id"], **body).json()
    assert timed["isAllDay"] is False
    assert timed["timeZone"] == BERLIN
    row = Task.objects.get(pk=task["id"])
    assert (row.day_ends_at, row.due_local) == (None, None)

    again = patch(alice_api, task["id"], **WHOLE_DAY).json()
    assert WHOLE_DAY.items() <= again.items()
    row.refresh_from_db()
    assert row.day_ends_at == at("2025-12-31T23:00:00")
    assert row.due_local == at("2025-12-31T00:00:00")


def test_due_date_of_a_whole_day_is_cleared(alice_api: APIClient) -> None:
    task = send(alice_api, **WHOLE_DAY).json()
    response = patch(alice_api, task["id"], dueDate=None)

    assert response.status_code == 200
    assert Task.objects.get(pk=task["id"]).day_ends_at is None


def test_replacement_keeps_what_it_does_not_send(alice_api: APIClient) -> None:
    """Clients of the first release replace without these fields."""
    task = send(alice_api, **WHOLE_DAY).json()
    body = {"title": "New", "description": None, "status": "TODO", "priority": "LOW"}
    response = alice_api.put(
        f"/api/tasks/{task['id']}",
        body | {"dueDate": IN_BERLIN},
        format="json",
        HTTP_IF_MATCH='"v1"',
    )

    assert response.status_code == 200
    assert WHOLE_DAY.items() <= response.json().items()


def test_history_tells_of_it(alice_api: APIClient) -> None:
    task = send(alice_api).json()
    patch(alice_api, task["id"], **WHOLE_DAY)
    newest, first = alice_api.get(f"/api/tasks/{task['id']}/history").json()["items"]

    assert newest["changes"] == [
        {"field": "dueDate", "from": None, "to": IN_BERLIN},
        {"field": "isAllDay", "from": False, "to": True},
        {"field": "timeZone", "from": None, "to": BERLIN},
    ]
    assert {"isAllDay", "timeZone"}.isdisjoint(c["field"] for c in first["changes"])


# What is overdue, and due today


def test_task_is_overdue_once_its_day_is_over(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    make_task(alice, title="day", **day(BERLIN, IN_BERLIN))
    make_task(alice, title="time", due_at=at("2025-12-30T23:00:00"))

    for moment, overdue in [
        ("2025-12-30T23:00:00", []),
        ("2025-12-31T22:59:59.999999", ["time"]),
        ("2025-12-31T23:00:00", ["day", "time"]),
    ]:
        clock.time = at(moment)
        late = alice_api.get("/api/tasks?overdue=true&sort=title")
        others = alice_api.get("/api/tasks?overdue=false&sort=title")
        assert titles(late) == overdue
        assert titles(others) == [t for t in ("day", "time") if t not in overdue]
        assert alice_api.get("/api/tasks/stats").json()["overdue"] == len(overdue)


def test_task_that_is_done_is_never_overdue(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    make_task(alice, status=Status.DONE, **day(BERLIN, IN_BERLIN))
    clock.time = at("2026-06-01T00:00:00")

    assert ids(alice_api.get("/api/tasks?overdue=true")) == []
    assert len(ids(alice_api.get("/api/tasks?overdue=false"))) == 1


@pytest.mark.parametrize(
    ("now", "zone", "expected"),
    [
        # The date is the same wherever the day is, and whoever asks.
        ("2025-12-31T12:00:00", "UTC", "berlin samoa tokyo"),
        ("2025-12-31T12:00:00", BERLIN, "berlin samoa tokyo"),
        ("2025-12-31T12:00:00", TOKYO, "berlin samoa tokyo"),
        ("2025-12-31T16:00:00", TOKYO, ""),
        ("2025-12-30T22:00:00", BERLIN, ""),
        ("2025-12-30T23:00:00", BERLIN, "berlin samoa tokyo"),
        ("2026-01-01T05:00:00", SAMOA, "berlin samoa tokyo"),
    ],
)
def test_day_is_due_on_its_date(
    alice_api: APIClient,
    alice: User,
    clock: Clock,
    now: str,
    zone: str,
    expected: str,
) -> None:
    make_task(alice, title="berlin", **day(BERLIN, IN_BERLIN))
    make_task(alice, title="tokyo", **day(TOKYO, IN_TOKYO))
    make_task(alice, title="samoa", **day(SAMOA, IN_SAMOA))
    clock.time = at(now)

    response = alice_api.get(f"/api/tasks?due=today&timezone={zone}&sort=title")
    assert titles(response) == expected.split()
    stats = alice_api.get(f"/api/tasks/stats?timezone={zone}").json()
    assert stats["dueToday"] == len(expected.split())


def test_week_ends_with_a_day(alice_api: APIClient, alice: User, clock: Clock) -> None:
    for number in range(9):
        due = at("2025-12-30T15:00:00") + timedelta(days=number)
        make_task(alice, title=str(number), **day(TOKYO, due.isoformat()))
    clock.time = at("2026-01-01T09:00:00")

    response = alice_api.get(f"/api/tasks?due=week&timezone={BERLIN}&sort=title")
    assert titles(response) == ["1", "2", "3", "4", "5", "6", "7"]


def test_days_and_times_are_in_one_order(alice_api: APIClient, alice: User) -> None:
    make_task(alice, title="c", due_at=at("2025-12-30T23:00:01"))
    make_task(alice, title="b", **day(BERLIN, IN_BERLIN))
    make_task(alice, title="a", **day(TOKYO, IN_TOKYO))

    assert titles(alice_api.get("/api/tasks?sort=dueDate")) == ["a", "b", "c"]


# Files


def exported(api: APIClient, name: str) -> str:
    response = api.get(f"/api/tasks/export?format={name}")
    return b"".join(response).decode()  # type: ignore[arg-type]


def test_calendar_has_the_date(alice_api: APIClient) -> None:
    send(alice_api, **WHOLE_DAY)
    text = exported(alice_api, "ics")

    assert "DUE;VALUE=DATE:20251231\r\n" in text
    [todo] = icalendar.Calendar.from_ical(text).todos
    assert todo.decoded("DUE") == datetime(2025, 12, 31, tzinfo=UTC).date()


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_file_brings_it_back(
    alice_api: APIClient, alice: User, tmp_path: Path, name: str
) -> None:
    send(alice_api, **WHOLE_DAY)
    send(alice_api, title="at a time", dueDate=IN_BERLIN)
    before = alice_api.get("/api/tasks").json()["items"]
    file = tmp_path / f"tasks.{name}"
    file.write_text(exported(alice_api, name), newline="")
    Task.objects.all().delete()

    call_command("import_tasks", str(file), "--user", alice.email, stdout=StringIO())

    assert alice_api.get("/api/tasks").json()["items"] == before
    row = Task.objects.get(is_all_day=True)
    assert row.day_ends_at == at("2025-12-31T23:00:00")


def test_copy_is_due_on_the_same_day(alice_api: APIClient) -> None:
    task = send(alice_api, **WHOLE_DAY).json()
    body = {"projectId": task["projectId"]}
    copy = alice_api.post(f"/api/tasks/{task['id']}/copy", body, format="json").json()

    assert WHOLE_DAY.items() <= copy.items()
    assert Task.objects.get(pk=copy["id"]).day_ends_at
