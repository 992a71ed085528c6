"""Tasks that recur: completing one makes the next, and never two."""

from collections.abc import Callable
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
from django.core.management import call_command
from django.db import IntegrityError, transaction
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Role, Status, Task
from tasks.operations import series
from tests.factories import make_task
from tests.tasks import sharing
from tests.tasks.conftest import Clock
from tests.tasks.wire import at, details_of, error_of, ids, make_tasks, titles

NOW = "2026-06-15T12:00:00"
DUE, NEXT = "2026-06-20T07:00:00Z", "2026-06-27T07:00:00Z"
WEEKLY = {"rule": "FREQ=WEEKLY", "timeZone": "Europe/Berlin", "from": "DUE"}
COLUMN = "DUE Europe/Berlin FREQ=WEEKLY"
DONE = {"status": "DONE"}
Wire = dict[str, Any]

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _june(clock: Clock) -> None:
    clock.time = at(NOW)


@pytest.fixture
def weekly(alice: User) -> Task:
    return recurring(alice)


def recurring(owner: User, rule: str = COLUMN, **values: Any) -> Task:
    values = {"title": "Water the plants", "due_at": utc(DUE)} | values
    return make_task(owner, recurrence=rule, **values)


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).astimezone(UTC)


def create(api: APIClient, **body: Any) -> Any:
    body = {"title": "Water the plants", "dueDate": DUE, "recurrence": WEEKLY} | body
    return api.post("/api/tasks", body, format="json")


def patch(api: APIClient, pk: Any, **body: Any) -> Any:
    return api.patch(f"/api/tasks/{pk}", body, format="json")


def get(api: APIClient, pk: Any) -> Wire:
    response = api.get(f"/api/tasks/{pk}")
    assert response.status_code == 200, response.content
    body: Wire = response.json()
    return body


def done(api: APIClient, pk: Any, **body: Any) -> Wire:
    response = patch(api, pk, status="DONE", **body)
    assert response.status_code == 200, response.content
    found: Wire = response.json()
    return found


def following(api: APIClient, task: Wire) -> Wire:
    return get(api, task["nextTaskId"])


# What a task says of it


def test_recurrence_is_kept_as_it_was_sent(alice_api: APIClient) -> None:
    response = create(alice_api)
    task = response.json()

    assert response.status_code == 201, response.content
    assert task["recurrence"] == WEEKLY
    assert (task["seriesId"], task["nextTaskId"]) == (task["id"], None)
    assert get(alice_api, task["id"]) == task


def test_rule_is_read_in_either_case_and_goes_on_from_the_due_date(
    alice_api: APIClient,
) -> None:
    rule = {"rule": "rrule:freq=weekly;byday=sa", "timeZone": "Europe/Berlin"}
    task = create(alice_api, recurrence=rule).json()

    expected = {"rule": "FREQ=WEEKLY;BYDAY=SA", "from": "DUE"}
    assert task["recurrence"] == rule | expected


@pytest.mark.parametrize(
    ("recurrence", "field", "code"),
    [
        ({}, "rule", "required"),
        ({"rule": "FREQ=DAILY"}, "timeZone", "required"),
        ({"rule": "FREQ=DAILY", "timeZone": "Mars"}, "timeZone", "invalid"),
        ({"rule": "FREQ=DAILY", "timeZone": None}, "timeZone", "null"),
        ({"rule": "FREQ=HOURLY", "timeZone": "UTC"}, "rule", "invalid"),
        ({"rule": "FREQ=DAILY;COUNT=0", "timeZone": "UTC"}, "rule", "invalid"),
        ({"rule": "", "timeZone": "UTC"}, "rule", "blank"),
        ({"rule": 5, "timeZone": "UTC"}, "rule", "invalid"),
        ({"rule": "FREQ=DAILY\0", "timeZone": "UTC"}, "rule", None),
        ({"rule": "FREQ=DAILY", "timeZone": "UTC", "from": "NOW"}, "from", None),
        ({"rule": "FREQ=DAILY", "timeZone": "UTC", "count": 3}, "count", "unknown"),
        (
            {"rule": "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30", "timeZone": "UTC"},
            "rule",
            "invalid",
        ),
        ({"rule": "FREQ=DAILY;UNTIL=20260619", "timeZone": "UTC"}, "rule", "invalid"),
    ],
)
def test_bad_recurrence_is_refused(
    alice_api: APIClient, recurrence: Wire, field: str, code: str | None
) -> None:
    found = details_of(create(alice_api, recurrence=recurrence))

    assert (f"recurrence.{field}", code) in [
        (name, code and given) for name, given in found
    ]


@pytest.mark.parametrize("recurrence", ["FREQ=DAILY", [], 1, True])
def test_recurrence_is_an_object(alice_api: APIClient, recurrence: Any) -> None:
    assert details_of(create(alice_api, recurrence=recurrence))


def test_recurrence_needs_a_due_date(alice_api: APIClient, weekly: Task) -> None:
    refused = [("recurrence", "required")]

    assert details_of(create(alice_api, dueDate=None)) == refused
    assert details_of(patch(alice_api, weekly.pk, dueDate=None)) == refused
    cleared = patch(alice_api, weekly.pk, dueDate=None, recurrence=None)
    assert cleared.status_code == 200


def test_whole_day_recurs_in_its_own_zone(alice_api: APIClient) -> None:
    day = {
        "dueDate": "2026-06-19T15:00:00Z",
        "isAllDay": True,
        "timeZone": "Asia/Tokyo",
    }
    refused = create(alice_api, **day)
    assert details_of(refused) == [("recurrence.timeZone", "invalid")]

    task = create(alice_api, **day, recurrence=WEEKLY | {"timeZone": "Asia/Tokyo"})
    following_ = following(alice_api, done(alice_api, task.json()["id"]))
    assert following_["dueDate"] == "2026-06-26T15:00:00Z"
    assert (following_["isAllDay"], following_["timeZone"]) == (True, "Asia/Tokyo")
    row = Task.objects.get(pk=following_["id"])
    assert row.day_ends_at == utc("2026-06-27T15:00:00Z")
    assert row.due_local == utc("2026-06-27T00:00:00Z")


def test_count_of_an_old_task_is_refused(alice_api: APIClient) -> None:
    """What has passed since is counted, so it is bounded."""
    rule = WEEKLY | {"rule": "FREQ=WEEKLY;COUNT=5"}
    response = create(alice_api, dueDate="1980-01-01T00:00:00Z", recurrence=rule)

    assert details_of(response) == [("recurrence.rule", "invalid")]


@pytest.mark.parametrize("due", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z"])
@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize("all_day", [True, False])
def test_ends_of_the_calendar_are_no_errors(
    alice_api: APIClient, due: str, zone: str, all_day: bool
) -> None:
    rule = {"rule": "FREQ=DAILY", "timeZone": zone}
    body: Wire = {"dueDate": due, "recurrence": rule}
    if all_day:
        body |= {"isAllDay": True, "timeZone": zone}
    response = create(alice_api, **body)

    assert response.status_code in {201, 400}, response.content
    if response.status_code == 201:
        done(alice_api, response.json()["id"])


# Completing


def test_completing_makes_the_next(alice_api: APIClient, weekly: Task) -> None:
    task = done(alice_api, weekly.pk)

    assert (task["status"], task["dueDate"], task["version"]) == ("DONE", DUE, 2)
    made = following(alice_api, task)
    assert made == task | {
        "id": task["nextTaskId"],
        "status": "TODO",
        "dueDate": NEXT,
        "completedAt": None,
        "nextTaskId": None,
        "position": made["position"],
        "version": 1,
        "createdAt": task["updatedAt"],
        "updatedAt": task["updatedAt"],
    }
    assert made["seriesId"] == str(weekly.pk)


def test_replacement_completes_too(alice_api: APIClient, weekly: Task) -> None:
    body = {"title": "New", "description": None, "priority": "LOW", "dueDate": DUE}
    response = alice_api.put(
        f"/api/tasks/{weekly.pk}", body | DONE, format="json", HTTP_IF_MATCH='"v1"'
    )

    assert following(alice_api, response.json())["title"] == "New"


def test_task_that_is_made_done_has_a_next_one(alice_api: APIClient) -> None:
    task = create(alice_api, status="DONE").json()

    assert following(alice_api, task)["dueDate"] == NEXT


def test_next_task_comes_in_batches_once(alice_api: APIClient, weekly: Task) -> None:
    update = {"op": "update", "id": str(weekly.pk)}
    operations: list[Wire] = [
        update | {"data": DONE},
        update | {"data": {"status": "TODO"}},
        update | {"data": DONE},
        {"op": "create", "ref": "a", "data": {"title": "x", "dueDate": DUE}},
        {"op": "update", "id": {"ref": "a"}, "data": DONE | {"recurrence": WEEKLY}},
    ]
    body = {"operations": operations}
    response = alice_api.post("/api/tasks/batch", body, format="json")

    assert response.status_code == 200, response.content
    assert Task.objects.filter(status=Status.TODO).count() == 2


def test_completing_again_makes_no_other(alice_api: APIClient, weekly: Task) -> None:
    first = done(alice_api, weekly.pk)
    again = done(alice_api, weekly.pk)
    assert again == first

    patch(alice_api, weekly.pk, status="TODO")
    third = done(alice_api, weekly.pk)
    assert third["nextTaskId"] == first["nextTaskId"]
    assert Task.objects.count() == 2


def test_retry_makes_no_other(alice_api: APIClient, weekly: Task) -> None:
    body = {"operations": [{"op": "update", "id": str(weekly.pk), "data": DONE}]}
    answers = [
        alice_api.post(
            "/api/tasks/batch", body, format="json", HTTP_IDEMPOTENCY_KEY="once"
        ).json()
        for _ in range(3)
    ]

    assert answers[0] == answers[1] == answers[2]
    assert Task.objects.count() == 2


def test_database_has_the_last_word(alice: User, weekly: Task) -> None:
    def follower() -> Task:
        task = make_task(alice)
        Task.objects.filter(pk=task.pk).update(previous_task_id=weekly.pk)
        return task

    follower()
    with pytest.raises(IntegrityError), transaction.atomic():
        follower()


def test_task_without_recurrence_has_no_next(alice_api: APIClient, alice: User) -> None:
    task = done(alice_api, make_task(alice, due_at=utc(DUE)).pk)

    assert (task["seriesId"], task["nextTaskId"]) == (None, None)
    assert Task.objects.count() == 1


def test_labels_assignee_and_place_come_along(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    sharing.share(project, bob, Role.EDITOR)
    parent = sharing.task_in(project)
    task = sharing.task_in(
        project,
        title="Clean",
        labels=["home"],
        assignee_id=bob.pk,
        parent_id=parent.pk,
        due_at=utc(DUE),
        recurrence=COLUMN,
    )
    made = following(alice_api, done(alice_api, task.pk))

    assert made["labels"] == ["home"]
    assert made["assigneeId"] == str(bob.pk)
    assert (made["projectId"], made["parentId"]) == (str(project.pk), str(parent.pk))
    assert titles(alice_api.get("/api/tasks?label=home")) == ["Clean", "Clean"]


def test_who_left_is_not_assigned_the_next(
    alice_api: APIClient, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    task = sharing.task_in(project, due_at=utc(DUE), recurrence=COLUMN)
    Task.objects.filter(pk=task.pk).update(assignee_id=bob.pk)

    assert following(alice_api, done(alice_api, task.pk))["assigneeId"] is None


def test_member_completes_in_the_owners_space(
    bob_api: APIClient, alice: User, bob: User
) -> None:
    project = sharing.make_project(alice)
    sharing.share(project, bob, Role.EDITOR)
    task = sharing.task_in(project, due_at=utc(DUE), recurrence=COLUMN)
    made = following(bob_api, done(bob_api, task.pk))

    assert (made["userId"], made["createdById"]) == (str(alice.pk), str(bob.pk))


def test_start_moves_along(alice_api: APIClient, alice: User) -> None:
    # Over the end of summer time, at the same time by the clock.
    rule = "DUE Europe/Berlin FREQ=MONTHLY"
    start_at, due_at = utc("2026-10-10T06:00:00Z"), utc("2026-10-12T07:00:00Z")
    task = recurring(alice, rule, start_at=start_at, due_at=due_at)
    made = following(alice_api, done(alice_api, task.pk))

    assert made["startDate"] == "2026-11-10T07:00:00Z"
    assert made["dueDate"] == "2026-11-12T08:00:00Z"


def test_time_that_a_day_skips_is_back_on_the_next(
    alice_api: APIClient, alice: User
) -> None:
    rule = "DUE Europe/Berlin FREQ=DAILY"
    task = recurring(alice, rule, due_at=utc("2027-03-27T02:30:00+01:00"))
    moved = following(alice_api, done(alice_api, task.pk))
    assert moved["dueDate"] == "2027-03-28T01:30:00Z"  # 03:30

    # A client that sends back what it read changes nothing.
    patch(alice_api, moved["id"], dueDate=moved["dueDate"], title="Other")
    after = following(alice_api, done(alice_api, moved["id"]))
    assert after["dueDate"] == "2027-03-29T00:30:00Z"  # 02:30


def test_overdue_task_comes_again_after_now(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    task = recurring(alice, "DUE UTC FREQ=DAILY", due_at=utc("2026-06-01T09:00:00Z"))
    clock.time = at("2026-06-10T10:00:00")

    made = following(alice_api, done(alice_api, task.pk))
    assert made["dueDate"] == "2026-06-11T09:00:00Z"


def test_completion_counts_from_when_it_was(
    alice_api: APIClient, alice: User, clock: Clock
) -> None:
    rule = "COMPLETION UTC FREQ=DAILY;INTERVAL=10"
    task = recurring(alice, rule, due_at=utc("2026-06-01T09:00:00Z"))
    clock.time = at("2026-06-04T20:00:00")

    made = following(alice_api, done(alice_api, task.pk))
    assert made["dueDate"] == "2026-06-14T09:00:00Z"


def test_count_goes_down_to_the_end(alice_api: APIClient, alice: User) -> None:
    task = get(alice_api, recurring(alice, "DUE UTC FREQ=DAILY;COUNT=3").pk)
    rules = []
    while task["nextTaskId"] or task["status"] == "TODO":
        rules.append(task["recurrence"]["rule"])
        task = done(alice_api, task["id"])
        if task["nextTaskId"] is None:
            break
        task = following(alice_api, task)

    assert rules == [f"FREQ=DAILY;COUNT={n}" for n in (3, 2, 1)]
    assert Task.objects.filter(status=Status.DONE).count() == 3
    assert Task.objects.count() == 3


def test_until_ends_the_series(alice_api: APIClient, alice: User) -> None:
    task = recurring(alice, "DUE UTC FREQ=WEEKLY;UNTIL=20260626")

    assert done(alice_api, task.pk)["nextTaskId"] is None


# Subtasks


def test_subtasks_come_along_to_be_done(alice_api: APIClient, alice: User) -> None:
    parent = recurring(alice)
    first, second = make_tasks(
        alice,
        [
            {
                "title": "b",
                "parent_id": parent.pk,
                "status": Status.DONE,
                "due_at": utc("2026-06-19T10:00:00Z"),
                "labels": ["home"],
            },
            {"title": "a", "parent_id": parent.pk},
        ],
    )
    make_task(alice, title="c", parent_id=first.pk)
    made = following(alice_api, done(alice_api, parent.pk))

    below = alice_api.get(f"/api/tasks?parent={made['id']}&sort=position").json()
    assert [each["title"] for each in below["items"]] == ["b", "a"]
    again = below["items"][0]
    assert (again["status"], again["completedAt"]) == ("TODO", None)
    assert (again["dueDate"], again["labels"]) == ("2026-06-26T10:00:00Z", ["home"])
    assert titles(alice_api.get(f"/api/tasks?parent={again['id']}")) == ["c"]
    # Those of the completed task stay as they are.
    assert get(alice_api, second.pk)["status"] == "TODO"
    assert len(ids(alice_api.get(f"/api/tasks?parent={parent.pk}"))) == 2


def test_deleted_subtasks_stay_behind(alice_api: APIClient, alice: User) -> None:
    parent = recurring(alice)
    child = make_task(alice, parent_id=parent.pk)
    alice_api.delete(f"/api/tasks/{child.pk}")
    made = following(alice_api, done(alice_api, parent.pk))

    assert ids(alice_api.get(f"/api/tasks?parent={made['id']}")) == []


def test_subtask_that_recurs_comes_along_once(
    alice_api: APIClient, alice: User
) -> None:
    parent = recurring(alice)
    rule = "DUE Europe/Berlin FREQ=DAILY;COUNT=9"
    child = recurring(alice, rule, title="daily", parent_id=parent.pk)
    other = done(alice_api, child.pk)
    made = following(alice_api, done(alice_api, parent.pk))

    [copy] = alice_api.get(f"/api/tasks?parent={made['id']}").json()["items"]
    assert copy["dueDate"] == "2026-06-28T07:00:00Z"
    assert copy["recurrence"]["rule"] == "FREQ=DAILY;COUNT=8"
    assert copy["seriesId"] == copy["id"] != other["seriesId"]
    assert following(alice_api, done(alice_api, copy["id"]))["parentId"] == made["id"]


def test_whole_days_below_stay_whole_days(alice_api: APIClient, alice: User) -> None:
    parent = recurring(alice)
    make_task(
        alice,
        parent_id=parent.pk,
        due_at=utc("2026-06-18T15:00:00Z"),
        is_all_day=True,
        time_zone="Asia/Tokyo",
    )
    made = following(alice_api, done(alice_api, parent.pk))

    [copy] = alice_api.get(f"/api/tasks?parent={made['id']}").json()["items"]
    assert copy["dueDate"] == "2026-06-25T15:00:00Z"
    row = Task.objects.get(pk=copy["id"])
    assert row.day_ends_at == utc("2026-06-26T15:00:00Z")


def test_full_parent_is_told(
    alice_api: APIClient, alice: User, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series.placement, "MAX_TREE", 2)
    parent = make_task(alice)
    task = recurring(alice, parent_id=parent.pk)
    make_task(alice, parent_id=parent.pk)
    response = patch(alice_api, task.pk, status="DONE")

    assert response.status_code == 409
    assert "no room for the next occurrence" in error_of(response)["message"]
    assert get(alice_api, task.pk)["status"] == "TODO"


# A series


def test_series_shows_its_past(alice_api: APIClient, weekly: Task, alice: User) -> None:
    make_task(alice, title="other")
    task = done(alice_api, weekly.pk)
    last = following(alice_api, done(alice_api, task["nextTaskId"]))

    past = alice_api.get(f"/api/tasks?series={weekly.pk}&sort=dueDate").json()["items"]
    assert [each["id"] for each in past] == [task["id"], task["nextTaskId"], last["id"]]
    assert [each["status"] for each in past] == ["DONE", "DONE", "TODO"]


def test_edit_affects_what_comes_next_only(alice_api: APIClient, weekly: Task) -> None:
    first = done(alice_api, weekly.pk)
    rule = WEEKLY | {"rule": "FREQ=DAILY", "timeZone": "Asia/Tokyo"}
    body = {"recurrence": rule, "dueDate": "2026-06-28T01:00:00Z"}
    changed = patch(alice_api, first["nextTaskId"], **body).json()
    last = following(alice_api, done(alice_api, changed["id"]))

    assert last["dueDate"] == "2026-06-29T01:00:00Z"
    assert last["recurrence"] == rule
    assert last["seriesId"] == str(weekly.pk)
    assert get(alice_api, weekly.pk) == first


def test_edit_of_a_past_occurrence_changes_no_other(
    alice_api: APIClient, weekly: Task
) -> None:
    first = done(alice_api, weekly.pk)
    before = following(alice_api, first)
    patch(alice_api, weekly.pk, dueDate="2026-06-01T01:00:00Z", title="Past")
    patch(alice_api, weekly.pk, recurrence=None)

    assert following(alice_api, first) == before


def test_series_ends_without_a_rule(alice_api: APIClient, weekly: Task) -> None:
    changed = patch(alice_api, weekly.pk, recurrence=None).json()
    assert (changed["recurrence"], changed["seriesId"]) == (None, str(weekly.pk))

    assert done(alice_api, weekly.pk)["nextTaskId"] is None


def test_rule_and_completion_in_one_change(alice_api: APIClient, alice: User) -> None:
    task = make_task(alice)
    changed = done(alice_api, task.pk, recurrence=WEEKLY, dueDate=DUE)
    assert following(alice_api, changed)["dueDate"] == NEXT

    other = recurring(alice)
    assert done(alice_api, other.pk, recurrence=None)["nextTaskId"] is None


def test_trash_does_not_fork_the_series(alice_api: APIClient, weekly: Task) -> None:
    first = done(alice_api, weekly.pk)
    for pk in (first["id"], first["nextTaskId"]):
        alice_api.delete(f"/api/tasks/{pk}")
        assert alice_api.post(f"/api/tasks/{pk}/restore").status_code == 200
    patch(alice_api, weekly.pk, status="TODO")

    assert done(alice_api, weekly.pk)["nextTaskId"] == first["nextTaskId"]
    assert Task.objects.count() == 2


def test_purged_occurrence_is_not_made_anew(alice_api: APIClient, weekly: Task) -> None:
    first = done(alice_api, weekly.pk)
    alice_api.delete(f"/api/tasks/{first['nextTaskId']}")
    alice_api.delete(f"/api/tasks/trash/{first['nextTaskId']}")
    patch(alice_api, weekly.pk, status="TODO")

    assert done(alice_api, weekly.pk)["nextTaskId"] == first["nextTaskId"]
    assert Task.objects.count() == 1


def test_history_tells_of_it(alice_api: APIClient, weekly: Task) -> None:
    task = done(alice_api, weekly.pk)
    newest, first = alice_api.get(f"/api/tasks/{weekly.pk}/history").json()["items"]

    entry = {"field": "nextTaskId", "from": None, "to": task["nextTaskId"]}
    assert entry in newest["changes"]
    assert {"field": "recurrence", "from": None, "to": WEEKLY} in first["changes"]
    [made] = alice_api.get(f"/api/tasks/{task['nextTaskId']}/history").json()["items"]
    assert {"field": "dueDate", "from": None, "to": NEXT} in made["changes"]


def test_copy_begins_a_series_of_its_own(alice_api: APIClient, weekly: Task) -> None:
    def copied() -> Wire:
        body = {"projectId": str(weekly.project_id)}
        response = alice_api.post(f"/api/tasks/{weekly.pk}/copy", body, format="json")
        found: Wire = response.json()
        return found

    copy = copied()
    assert copy["recurrence"] == WEEKLY
    assert copy["seriesId"] == copy["id"]
    done(alice_api, weekly.pk)
    count = Task.objects.count()
    assert copied()["recurrence"] is None
    assert Task.objects.count() == count + 1


def test_what_the_server_owns_may_be_sent_back(
    alice_api: APIClient, weekly: Task
) -> None:
    task = get(alice_api, weekly.pk)
    changed = patch(alice_api, weekly.pk, **task)
    assert changed.json() == task

    other = {"seriesId": str(uuid4()), "nextTaskId": str(uuid4())}
    assert patch(alice_api, weekly.pk, **other).json() == task


# Skipping and looking ahead


def skip(api: APIClient, pk: Any, body: Any = None, **headers: str) -> Any:
    return api.post(f"/api/tasks/{pk}/skip", body, format="json", **headers)


def test_skip_moves_the_task_on(alice_api: APIClient, alice: User) -> None:
    rule = "DUE Europe/Berlin FREQ=WEEKLY;COUNT=4"
    task = recurring(alice, rule, start_at=utc("2026-06-19T07:00:00Z"))
    response = skip(alice_api, task.pk)
    moved = response.json()

    assert response.status_code == 200
    assert response["ETag"] == '"v2"'
    assert moved == get(alice_api, task.pk)
    assert (moved["status"], moved["dueDate"]) == ("TODO", NEXT)
    assert moved["startDate"] == "2026-06-26T07:00:00Z"
    assert moved["recurrence"]["rule"] == "FREQ=WEEKLY;COUNT=3"
    assert Task.objects.count() == 1


def test_skip_of_an_overdue_task_leads_after_now(
    alice_api: APIClient, alice: User
) -> None:
    rule = "DUE UTC FREQ=DAILY;COUNT=20"
    task = recurring(alice, rule, due_at=utc("2026-06-10T07:00:00Z"))

    moved = skip(alice_api, task.pk).json()
    assert moved["dueDate"] == "2026-06-16T07:00:00Z"
    assert moved["recurrence"]["rule"] == "FREQ=DAILY;COUNT=14"


def test_skip_is_refused_where_nothing_follows(
    alice_api: APIClient, alice: User, weekly: Task
) -> None:
    done(alice_api, weekly.pk)
    last = recurring(alice, "DUE UTC FREQ=DAILY;COUNT=1")
    for pk, message in [
        (make_task(alice).pk, "This task does not recur."),
        (weekly.pk, "This task is done; skip the task that follows it."),
        (last.pk, "This is the last occurrence of its series."),
    ]:
        response = skip(alice_api, pk)
        assert response.status_code == 409
        assert error_of(response)["message"] == message


def test_task_set_back_is_not_skipped(alice_api: APIClient, weekly: Task) -> None:
    """It would be due with the one that follows it."""
    done(alice_api, weekly.pk)
    patch(alice_api, weekly.pk, status="TODO")

    assert skip(alice_api, weekly.pk).status_code == 409
    assert dates(alice_api, weekly.pk) == []


def test_skip_honours_preconditions_and_keys(
    alice_api: APIClient, weekly: Task
) -> None:
    assert skip(alice_api, weekly.pk, {"version": 2}).status_code == 412
    assert skip(alice_api, weekly.pk, HTTP_IF_MATCH='"v2"').status_code == 412
    once = [skip(alice_api, weekly.pk, HTTP_IDEMPOTENCY_KEY="a") for _ in range(3)]

    assert {each.json()["dueDate"] for each in once} == {NEXT}
    assert get(alice_api, weekly.pk)["version"] == 2


def dates(api: APIClient, pk: Any, query: str = "") -> list[str]:
    response = api.get(f"/api/tasks/{pk}/occurrences{query}")
    assert response.status_code == 200, response.content
    return [each["dueDate"] for each in response.json()["items"]]


def test_occurrences_are_previewed(alice_api: APIClient, weekly: Task) -> None:
    assert dates(alice_api, weekly.pk, "?limit=3") == [
        NEXT,
        "2026-07-04T07:00:00Z",
        "2026-07-11T07:00:00Z",
    ]
    assert len(dates(alice_api, weekly.pk)) == 20
    assert len(dates(alice_api, weekly.pk, "?limit=100")) == 100


@pytest.mark.parametrize(
    "rule",
    [
        COLUMN,
        "COMPLETION UTC FREQ=DAILY;INTERVAL=3",
        "DUE UTC FREQ=MONTHLY;BYDAY=-1FR;COUNT=3",
        "DUE UTC FREQ=WEEKLY;COUNT=1",
        "DUE UTC FREQ=WEEKLY;UNTIL=20260626",
    ],
)
@pytest.mark.parametrize("due", ["2026-06-20T07:00:00Z", "2026-05-02T07:00:00Z"])
def test_preview_begins_with_what_completing_makes(
    alice_api: APIClient, alice: User, rule: str, due: str
) -> None:
    task = recurring(alice, rule, due_at=utc(due))
    previewed = dates(alice_api, task.pk, "?limit=1")
    completed = done(alice_api, task.pk)

    made = [following(alice_api, completed)] if completed["nextTaskId"] else []
    assert previewed == [each["dueDate"] for each in made]
    assert dates(alice_api, task.pk) == []


def test_task_that_does_not_recur_has_no_occurrences(
    alice_api: APIClient, alice: User
) -> None:
    assert dates(alice_api, make_task(alice, due_at=utc(DUE)).pk) == []


@pytest.mark.parametrize(
    ("query", "field"),
    [
        *[("?limit=0", "limit"), ("?limit=101", "limit"), ("?limit=x", "limit")],
        ("?page=1", "page"),
    ],
)
def test_bad_limit_is_refused(
    alice_api: APIClient, weekly: Task, query: str, field: str
) -> None:
    response = alice_api.get(f"/api/tasks/{weekly.pk}/occurrences{query}")

    assert [name for name, _ in details_of(response)] == [field]


def test_preview_ends_after_forty_years(alice_api: APIClient, alice: User) -> None:
    task = recurring(alice, "DUE UTC FREQ=YEARLY;INTERVAL=10")

    assert len(dates(alice_api, task.pk, "?limit=100")) == 4


# Files


@pytest.fixture
def take_in(tmp_path: Path, alice: User) -> Callable[..., None]:
    def called(text: str, name: str, *options: str) -> None:
        file = tmp_path / f"tasks.{name}"
        file.write_text(text, newline="")
        options = ("--user", alice.email, *options)
        call_command("import_tasks", str(file), *options, stdout=StringIO())

    return called


def exported(api: APIClient, name: str) -> str:
    response = api.get(f"/api/tasks/export?format={name}")
    return b"".join(response).decode()  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_file_brings_a_series_back(
    alice_api: APIClient, weekly: Task, take_in: Callable[..., None], name: str
) -> None:
    done(alice_api, weekly.pk)
    before = alice_api.get("/api/tasks?sort=dueDate").json()["items"]
    text = exported(alice_api, name)
    Task.objects.all().delete()
    take_in(text, name)
    take_in(text, name)

    assert alice_api.get("/api/tasks?sort=dueDate").json()["items"] == before


@pytest.mark.parametrize("name", ["csv", "jsonl"])
def test_file_completes_a_task_once(
    alice_api: APIClient, weekly: Task, take_in: Callable[..., None], name: str
) -> None:
    """Of another installation, where it was completed: the next one is the same."""
    done(alice_api, weekly.pk)
    before = alice_api.get("/api/tasks?sort=dueDate").json()["items"]
    text = exported(alice_api, name)
    Task.objects.exclude(pk=weekly.pk).delete()
    as_before = {"status": Status.TODO, "completed_at": None, "next_task_id": None}
    Task.objects.filter(pk=weekly.pk).update(**as_before)
    take_in(text, name, "--update")
    take_in(text, name, "--update")

    after = alice_api.get("/api/tasks?sort=dueDate").json()["items"]
    keys = ("id", "status", "dueDate", "nextTaskId", "seriesId")
    assert [[each[key] for key in keys] for each in after] == [
        [each[key] for key in keys] for each in before
    ]


def test_row_that_is_done_makes_its_next(
    alice_api: APIClient, take_in: Callable[..., None]
) -> None:
    text = (
        "title,status,dueDate,recurrence\r\n"
        f'Plants,DONE,{DUE},"{{""rule"": ""FREQ=WEEKLY"", ""timeZone"": ""UTC""}}"\r\n'
    )
    take_in(text, "csv")
    take_in(text, "csv")

    assert titles(alice_api.get("/api/tasks?status=TODO")) == ["Plants"]
    assert Task.objects.count() == 2


def test_ids_of_the_next_follow_from_the_previous() -> None:
    pk = UUID(int=5)

    assert series.next_id(pk) == series.next_id(pk) != series.next_id(UUID(int=6))
