"""Uses the API by the generated client alone; prints what it saw as drive.ts does."""

import json
import sys
from datetime import UTC, datetime
from typing import TypeVar

from task_api_client import AuthenticatedClient, Client
from task_api_client.api.accounts import register
from task_api_client.api.tasks import (
    batch_tasks,
    create_task,
    delete_task,
    list_tasks,
    update_task,
)
from task_api_client.api.trash import restore_task
from task_api_client.models import (
    BatchRequest,
    BatchResult,
    CreateOperation,
    CreateTaskRequest,
    ErrorResponse,
    Priority,
    RegisterRequest,
    Status,
    Task,
    TaskList,
    Tokens,
    UpdateOperation,
    UpdateTaskRequest,
)
from task_api_client.types import UNSET, Response, Unset

T = TypeVar("T")


def given(kind: type[T], value: object) -> T:
    assert isinstance(value, kind), value
    return value


base_url, email = sys.argv[1:]
account = RegisterRequest(name="Ada", email=email, password="grey heron 7 lamps")
tokens = given(Tokens, register.sync(client=Client(base_url), body=account))
api = AuthenticatedClient(
    base_url, tokens.access_token, raise_on_unexpected_status=True
)


def create(title: str) -> tuple[Task, str]:
    due = datetime(2030, 1, 31, 9, tzinfo=UTC)
    body = CreateTaskRequest(title, priority=Priority.HIGH, due_date=due)
    made = create_task.sync_detailed(client=api, body=body, idempotency_key=title)
    assert made.status_code == 201
    return given(Task, made.parsed), made.headers["ETag"]


first, etag = create("one")
create("two")
create("three")

pages: list[list[str]] = []
cursor: str | Unset | None = UNSET
while cursor is not None:
    listed = list_tasks.sync(client=api, status=[Status.TODO], limit=2, cursor=cursor)
    page = given(TaskList, listed)
    pages.append([task.title for task in page.items])
    cursor = page.next_cursor


def patch(status: Status) -> Response[Task | ErrorResponse]:
    body = UpdateTaskRequest(status=status, description=None)
    return update_task.sync_detailed(first.id, client=api, body=body, if_match=etag)


patched = given(Task, patch(Status.IN_PROGRESS).parsed)
refusal = patch(Status.DONE)
stale = given(ErrorResponse, refusal.parsed).error

done = UpdateTaskRequest(status=Status.DONE)
create_four = CreateOperation(op="create", data=CreateTaskRequest("four"))
finish = UpdateOperation(op="update", id=first.id, version=2, data=done)
operations = BatchRequest([create_four, finish])
batch = given(BatchResult, batch_tasks.sync(client=api, body=operations))
deleted = delete_task.sync_detailed(first.id, client=api, if_match='"v3"')
restored = given(Task, restore_task.sync(first.id, client=api))


def refused_by_types() -> None:
    """Mypy complains about an error that it does not find."""
    UpdateTaskRequest(status="DOING")  # type: ignore[arg-type]
    CreateTaskRequest(priority=Priority.LOW)  # type: ignore[call-arg]
    create_task.sync(client=Client(base_url), body=done)  # type: ignore[arg-type]


print(
    json.dumps(
        {
            "pages": pages,
            "patched": patched.status.value,
            "stale": [
                refusal.status_code,
                stale.code,
                Task.from_dict(given(dict, stale.current)).version,
            ],
            "batch": [[r.op, given(Task, r.task).status] for r in batch.results],
            "deleted": deleted.status_code,
            "restored": restored.version,
        }
    )
)
