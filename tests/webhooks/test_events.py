"""Which events are written for which webhooks, with the change or not at all."""

from typing import Any

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from taskapi.api.preconditions import NO_PRECONDITION
from taskapi.outbox.models import OutboxMessage
from tasks import access
from tasks.models import Delivery, Project, Role, Task, Webhook
from tasks.operations import webhooks
from tasks.webhooks.events import EVENTS, to_bits, to_names
from tests.factories import api_of
from tests.tasks.sharing import author, leave, make_project, share

pytestmark = pytest.mark.django_db
URL = "https://receiver.example/hook"


def make_webhook(user: User, project: Project | None = None, *names: str) -> Webhook:
    values = {"url": URL, "events": to_bits(names or EVENTS)}
    values["project_id"] = project.pk if project else None
    return webhooks.create_webhook(values, author(user))[0]


def told(webhook: Webhook) -> list[str]:
    """The events written so far, in the order of their messages."""
    channel = f"webhook:{webhook.pk}"
    rows = OutboxMessage.objects.filter(channel=channel).order_by("pk")
    pks = [row.payload["delivery"] for row in rows]
    found = {str(each.pk): each.event for each in webhook.deliveries.all()}
    assert len(found) == len(pks)
    return [found[pk] for pk in pks]


def create(api: APIClient, **body: Any) -> Any:
    response = api.post("/api/tasks", {"title": "x"} | body, format="json")
    assert response.status_code == 201
    return response.json()


def test_events_of_a_task_are_told_in_order(alice: User) -> None:
    webhook = make_webhook(alice)
    api = api_of(alice)
    task = create(api)
    url = f"/api/tasks/{task['id']}"
    api.patch(url, {"title": "y"}, format="json")
    api.patch(url, {}, format="json")
    api.patch(url, {"status": "DONE", "title": "z"}, format="json")
    api.patch(url, {"status": "TODO"}, format="json")
    api.delete(url)
    api.post(f"{url}/restore")

    assert told(webhook) == [
        *("task.created", "task.updated", "task.completed", "task.updated"),
        *("task.deleted", "task.restored"),
    ]


def test_body_is_the_task_as_the_api_shows_it(alice: User) -> None:
    webhook = make_webhook(alice)
    task = create(api_of(alice), labels=["garden"], priority="HIGH")

    [delivery] = webhook.deliveries.all()
    assert delivery.body["type"] == "task.created"
    assert delivery.body["data"] == task
    assert delivery.body["timestamp"].endswith("Z")
    assert str(delivery.subject) == task["id"]
    [message] = OutboxMessage.objects.all()
    assert message.ordering_key == task["id"]


def test_plain_create_tells_the_same(alice: User) -> None:
    """It is written in one statement on PostgreSQL."""
    webhook = make_webhook(alice)
    api = api_of(User.objects.get(pk=alice.pk))
    with CaptureQueriesContext(connection) as queries:
        task = create(api)

    [delivery] = webhook.deliveries.all()
    assert delivery.body["data"] == task
    if connection.vendor == "postgresql":
        inserts = [q for q in queries if "INSERT INTO" in q["sql"]]
        assert len(inserts) == 1


def test_space_without_webhooks_pays_nothing(alice: User) -> None:
    api = api_of(alice)
    with CaptureQueriesContext(connection) as queries:
        create(api)

    assert not [q for q in queries if "webhook" in q["sql"].replace("has_webhooks", "")]
    assert Delivery.objects.count() == OutboxMessage.objects.count() == 0


@pytest.mark.parametrize("labels", [[], ["garden"]])
def test_create_that_is_rolled_back_tells_nothing(
    alice: User, labels: list[str]
) -> None:
    make_webhook(alice)
    with transaction.atomic():
        create(api_of(alice), labels=labels)
        transaction.set_rollback(True)

    assert not Task.objects.exists()
    assert Delivery.objects.count() == OutboxMessage.objects.count() == 0


def test_write_that_is_refused_tells_nothing(alice: User) -> None:
    webhook = make_webhook(alice)
    unknown = "00000000-0000-4000-8000-000000000000"
    batch = [
        {"op": "create", "data": {"title": "x"}},
        {"op": "delete", "id": unknown},
    ]
    response = api_of(alice).post(
        "/api/tasks/batch", {"operations": batch}, format="json"
    )

    assert response.status_code == 404
    assert told(webhook) == []


def test_batch_tells_each_task_once(alice: User) -> None:
    webhook = make_webhook(alice)
    api = api_of(alice)
    old = create(api)
    operations = [
        {"op": "create", "ref": "a", "data": {"title": "x"}},
        {"op": "update", "id": {"ref": "a"}, "data": {"title": "y"}},
        {"op": "update", "id": old["id"], "data": {"title": "y"}},
        {"op": "update", "id": old["id"], "data": {"status": "DONE"}},
    ]
    response = api.post("/api/tasks/batch", {"operations": operations}, format="json")

    assert response.status_code == 200, response.content
    assert told(webhook) == ["task.created", "task.created", "task.completed"]


def test_only_events_that_are_wanted_are_written(alice: User) -> None:
    webhook = make_webhook(alice, None, "task.completed", "project.created")
    task = create(api_of(alice), status="DONE")
    make_project(alice)
    api_of(alice).delete(f"/api/tasks/{task['id']}")

    assert told(webhook) == ["project.created"]


def test_webhook_of_a_project_gets_its_events_alone(alice: User, bob: User) -> None:
    project, other = make_project(alice), make_project(alice, "Other")
    share(project, bob, Role.VIEWER)
    of_bob, of_space = make_webhook(bob, project), make_webhook(bob)
    api = api_of(User.objects.get(pk=alice.pk))
    create(api, projectId=str(project.pk))
    create(api, projectId=str(other.pk))
    create(api)

    assert told(of_bob) == ["task.created"]
    assert told(of_space) == []


def test_member_who_writes_is_told_to_the_owner(alice: User, bob: User) -> None:
    project = make_project(alice)
    share(project, bob)
    webhook = make_webhook(alice)
    bob_api = api_of(User.objects.get(pk=bob.pk))
    task = create(bob_api, projectId=str(project.pk))
    url = f"/api/tasks/{task['id']}/comments"
    comment = bob_api.post(url, {"text": "x"}, format="json").json()
    bob_api.patch(f"{url}/{comment['id']}", {"text": "y"}, format="json")
    bob_api.delete(f"{url}/{comment['id']}")

    assert told(webhook) == [
        *("task.created", "comment.created", "comment.updated", "comment.deleted"),
    ]


def test_projects_and_members_are_told(alice: User, bob: User) -> None:
    webhook = make_webhook(alice)
    api = api_of(User.objects.get(pk=alice.pk))
    project = api.post("/api/projects", {"name": "x"}, format="json").json()
    url = f"/api/projects/{project['id']}"
    api.patch(url, {"name": "y"}, format="json")
    found = Project.objects.get(pk=project["id"])
    member = share(found, bob, Role.VIEWER)
    api.patch(f"{url}/members/{bob.pk}", {"role": "EDITOR"}, format="json")
    leave(member)
    api.delete(url)
    api.post(f"{url}/restore")

    assert told(webhook) == [
        *("project.created", "project.updated", "member.created", "member.updated"),
        *("member.deleted", "project.deleted", "project.restored"),
    ]
    joined = webhook.deliveries.get(event="member.created").body["data"]
    assert joined == {
        "projectId": project["id"],
        "userId": str(bob.pk),
        "role": "VIEWER",
    }


@pytest.mark.parametrize("happens", ["disabled", "deleted"])
def test_flag_of_the_space_follows(alice: User, bob: User, happens: str) -> None:
    project = make_project(alice)
    share(project, bob)
    assert not User.objects.get(pk=alice.pk).has_webhooks
    webhook = make_webhook(bob, project)
    users = User.objects.in_bulk([alice.pk, bob.pk])
    assert users[alice.pk].has_webhooks
    assert not users[bob.pk].has_webhooks
    revision = users[alice.pk].revision

    if happens == "deleted":
        webhooks.delete_webhook(webhook.pk, author(bob), NO_PRECONDITION)
    else:
        values = {"is_enabled": False}
        webhooks.update_webhook(webhook.pk, values, author(bob), NO_PRECONDITION)

    alice.refresh_from_db()
    assert not alice.has_webhooks
    assert alice.revision == revision


def test_stranger_makes_no_webhook_of_a_project(alice: User, bob: User) -> None:
    with pytest.raises(access.ProjectForbidden):
        make_webhook(bob, make_project(alice))


def test_bits_of_events_stay_what_they_are() -> None:
    """They are stored."""
    assert to_names(0b100101) == ["task.created", "task.completed", "project.created"]
    assert to_names(to_bits(EVENTS)) == list(EVENTS)
    assert to_bits(["member.deleted"]) == 1 << 14


def test_completion_tells_of_the_next_task_too(alice: User) -> None:
    webhook = make_webhook(alice)
    api = api_of(alice)
    rule = {"rule": "FREQ=DAILY", "timeZone": "Europe/Berlin"}
    task = create(api, dueDate="2030-01-07T08:00:00Z", recurrence=rule)
    create(api, parentId=task["id"])
    body = {"status": "DONE"}
    done = api.patch(f"/api/tasks/{task['id']}", body, format="json").json()

    assert told(webhook) == [
        *("task.created", "task.created"),
        *("task.completed", "task.created", "task.created"),
    ]
    [completed] = webhook.deliveries.filter(event="task.completed")
    assert completed.body["data"] == done
    [following] = webhook.deliveries.filter(subject=done["nextTaskId"])
    shown = api.get(f"/api/tasks/{done['nextTaskId']}").json()
    assert following.body["data"] == shown


def test_skip_tells_of_a_change(alice: User) -> None:
    webhook = make_webhook(alice)
    api = api_of(alice)
    rule = {"rule": "FREQ=DAILY", "timeZone": "Europe/Berlin"}
    task = create(api, dueDate="2030-01-07T08:00:00Z", recurrence=rule)
    api.post(f"/api/tasks/{task['id']}/skip")

    assert told(webhook) == ["task.created", "task.updated"]
