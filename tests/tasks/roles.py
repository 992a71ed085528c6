"""A shared project, all sorts of people, and a request of each of them for everything
that can be done with it.
"""

from collections.abc import Callable
from typing import Any
from uuid import UUID

from django.apps import apps
from django.db import transaction
from django.utils import timezone

from accounts.auth.jwt import AccessToken
from accounts.models import Session, User
from tasks.models import Label, Role
from tasks.operations import invitations
from tasks.operations.comments import create_comment
from tests.contract.calls import Call
from tests.contract.document import Operation
from tests.factories import make_session, make_task, make_user
from tests.tasks import sharing
from tests.tasks.wire import trash

SECRET = "Zyzzyva"
STATES: dict[str, Callable[[Any], None]] = {
    "open": lambda project: None,
    "archived": sharing.archive,
    "trashed": sharing.delete,
}
NAMES = ("owner", "manager", "editor", "viewer", "guest", "removed", "stranger")
ROLES = {"manager": 3, "editor": 2, "viewer": 1, "guest": 1, "removed": 3}


class SharedProject:
    """A project of the owner's in that state; all that it holds has SECRET in it."""

    def __init__(self, state: str) -> None:
        self.state = state
        self.users = {each: make_user(f"{each}-{state}") for each in NAMES}
        self.owner = self.users["owner"]
        User.objects.filter(pk=self.owner.pk).update(name=f"{SECRET} the owner")
        self.project = sharing.make_project(
            self.owner, f"{SECRET} House", description=SECRET
        )
        members = {
            name: sharing.share(self.project, self.users[name], Role(role))
            for name, role in ROLES.items()
        }
        self.fill()
        sharing.leave(members["removed"])
        self.own_tasks = {
            name: make_task(user, title="Mine") for name, user in self.users.items()
        }
        self.tokens = {
            name: str(AccessToken.for_session(make_session(user)))
            for name, user in self.users.items()
        }
        STATES[state](self.project)

    def fill(self) -> None:
        values = {"title": f"{SECRET} task", "labels": [SECRET]}
        self.task = sharing.task_in(self.project, **values)
        due = {"due_at": timezone.now(), "recurrence": "DUE UTC FREQ=DAILY"}
        self.recurring = sharing.task_in(self.project, **values | due)
        self.trashed = trash(sharing.task_in(self.project, **values))
        self.label = Label.objects.get(owner=self.owner, name=SECRET)
        self.comment = self.comment_by("editor")
        self.last_words = self.comment_by("removed")
        context = sharing.author(self.owner)
        email = f"{SECRET}-{self.state}@example.com"
        self.invitation, self.invitation_token = invitations.invite(
            self.project.pk, email, Role.EDITOR, context
        )

    def comment_by(self, name: str) -> Any:
        author = sharing.author(self.users[name])
        return create_comment(self.task.pk, f"{SECRET} said {name}", author)

    @property
    def pk(self) -> str:
        return str(self.project.pk)

    def send(self, operation: Operation, call: Call, name: str) -> Any:
        described = operation.described.get("parameters", [])
        if "Idempotency-Key" in {each["name"] for each in described}:
            call.headers["Idempotency-Key"] = "once"
        return call.signed_in(self.tokens[name]).send(operation)


def dump() -> dict[str, list[Any]]:
    """All rows but the sessions', which each request may touch."""
    models = [*apps.get_app_config("tasks").get_models(), User]
    return {
        model.__name__: list(model._base_manager.order_by("pk").values_list())
        for model in models
        if model is not Session
    }


class Undo(Exception):
    """Ends a transaction of which nothing is to stay."""


def undone(work: Callable[[], Any]) -> Any:
    """The result of the work, whose writes are rolled back."""
    found = None
    try:
        with transaction.atomic():
            found = work()
            raise Undo
    except Undo:
        return found


# -- one request for each row of the table; `who` makes it

Asked = Callable[[SharedProject, str], Call]
PLANS: dict[str, Asked] = {}
WHOLE = {"description": None, "status": "DONE", "priority": "LOW", "dueDate": None}


def batch_body(where: SharedProject, who: str) -> Any:
    mine = {"op": "create", "data": {"title": "Buy soil"}}
    theirs = {"op": "update", "id": str(where.task.pk), "data": {"title": "Buy it"}}
    return {"operations": [mine, theirs]}


def on(name: str, body: Any = None, **more: Any) -> Asked:
    """A request to what of the project has this name."""
    return lambda where, _: Call(getattr(where, name).pk, body, **more)


def on_comment(name: str, body: Any = None) -> Asked:
    return lambda where, _: Call(
        where.task.pk, body, ids={"commentId": getattr(where, name).pk}
    )


def on_member(body: Any = None) -> Asked:
    return lambda where, _: Call(
        where.pk, body, ids={"userId": where.users["guest"].pk}
    )


def plain(query: str = "", body: Any = None) -> Asked:
    return lambda where, _: Call(query=query, body=body)


def into(**values: Any) -> Asked:
    return lambda where, _: Call(body={"projectId": where.pk, **values})


def inbox_of(where: SharedProject, who: str) -> UUID:
    return where.own_tasks[who].project_id


PLANS |= {
    "listTasks": plain(),
    "listTasks:scope=shared": plain("?scope=shared"),
    "listTasks:project=": lambda where, _: Call(query=f"?project={where.pk}"),
    "listTasks:archived=all": plain("?archived=all"),
    "listTasks:q=": plain(f"?q={SECRET.lower()}&archived=all"),
    "createTask": into(title="Water the plants"),
    "createTask:subtask": lambda where, _: Call(
        body={"title": "x", "projectId": where.pk, "parentId": str(where.task.pk)}
    ),
    "createTask:inbox": plain(body={"title": "Water the plants"}),
    "getTask": on("task"),
    "updateTask": on("task", {"status": "IN_PROGRESS"}),
    "replaceTask": lambda where, _: Call(
        where.task.pk, WHOLE | {"title": "New"}, {"If-Match": '"v1"'}
    ),
    "deleteTask": on("task"),
    "restoreTask": on("trashed"),
    "moveTask": on("task", {"parentId": None}),
    "moveTask:into": lambda where, who: Call(
        where.own_tasks[who].pk, {"projectId": where.pk}
    ),
    "moveTask:away": lambda where, who: Call(
        where.task.pk, {"projectId": str(inbox_of(where, who))}
    ),
    "skipTask": on("recurring"),
    "listTaskOccurrences": on("recurring"),
    "copyTask": lambda where, who: Call(
        where.task.pk, {"projectId": str(inbox_of(where, who))}
    ),
    "copyTask:into": lambda where, who: Call(
        where.own_tasks[who].pk, {"projectId": where.pk}
    ),
    "batchTasks": lambda where, who: Call(body=batch_body(where, who)),
    "exportTasks": plain("?format=jsonl"),
    "exportTasks:project=": lambda where, _: Call(
        query=f"?format=csv&project={where.pk}"
    ),
    "getTaskStats": plain(),
    "listTaskHistory": on("task"),
    "listTaskHistory:trashed": on("trashed"),
    "listComments": on("task"),
    "createComment": on("task", {"text": "By the way"}),
    "getComment": on_comment("comment"),
    "updateComment": on_comment("comment", {"text": "Done"}),
    "deleteComment": on_comment("comment"),
    "updateComment:last-words": on_comment("last_words", {"text": "Done"}),
    "deleteComment:last-words": on_comment("last_words"),
    "listLabels": plain(),
    "listLabels:project=": lambda where, _: Call(query=f"?project={where.pk}"),
    "createLabel": plain(body={"name": "garden"}),
    "getLabel": on("label"),
    "updateLabel": on("label", {"name": "allotment"}),
    "deleteLabel": on("label"),
    "getTrashedTask": on("trashed"),
    "emptyTrash": plain(),
    "listPeople": lambda where, _: Call(query=f"?ids={where.owner.pk}"),
    "listTrash": plain(),
    "destroyTask": on("trashed"),
    "listProjects": plain(),
    "listProjects:archived=all": plain("?archived=all"),
    "createProject": plain(body={"name": "Garden"}),
    "getProject": on("project"),
    "updateProject": on("project", {"name": "Home"}),
    "updateProject:archive": lambda where, _: Call(
        where.pk, {"archived": where.state != "archived"}
    ),
    "deleteProject": on("project"),
    "restoreProject": on("project"),
    "listTrashedProjects": plain(),
    "destroyProject": on("project"),
    "listProjectHistory": on("project"),
    "listMembers": on("project"),
    "updateMember": on_member({"role": "EDITOR"}),
    "removeMember": on_member(),
    "removeMember:oneself": lambda where, who: Call(
        where.pk, ids={"userId": where.users[who].pk}
    ),
    "listInvitations": on("project"),
    "createInvitation": on("project", {"email": "a@b.example", "role": "EDITOR"}),
    "withdrawInvitation": lambda where, _: Call(
        where.pk, ids={"invitationId": where.invitation.pk}
    ),
    "acceptInvitation": lambda where, _: Call(body={"token": where.invitation_token}),
    "declineInvitation": lambda where, _: Call(body={"token": where.invitation_token}),
}
