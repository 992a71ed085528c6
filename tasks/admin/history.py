"""The histories of tasks and projects, in words."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import formats, timezone
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from tasks.models import (
    Priority,
    Project,
    ProjectChange,
    Role,
    Status,
    Task,
    TaskChange,
)

MAX_CHANGES = 50
MAX_CHARACTERS = 60
LABELS = {
    "projectId": "project",
    "parentId": "parent",
    "assigneeId": "assignee",
    "startDate": "start",
    "dueDate": "due",
    "completedAt": "completed",
    "deletedAt": "in the trash since",
    "archivedAt": "archived since",
}
CHOICES = {
    "status": dict(Status.choices),
    "priority": {each.name: each.label for each in Priority},
}
DATES = {"startDate", "dueDate", "completedAt", "deletedAt", "archivedAt"}
# Which kind of row a field refers to.
REFERENCES = {"projectId": "project", "parentId": "task", "assigneeId": "user"}
NOBODY, NOTHING = "nobody", "nothing"
UNKNOWN = {
    "project": "a removed project",
    "task": "a removed task",
    "user": "a deleted account",
}
COMMAND = "a command"

Entry = Mapping[str, Any]


def full_name(user: Any) -> str:
    return f"{user.name} ({user.email})" if user.name else str(user.email)


class Names:
    """What the ids in some changes stand for, in one statement for each kind."""

    def __init__(self, changes: Iterable[tuple[UUID | None, list[Entry]]]) -> None:
        self.ids: dict[str, set[str]] = defaultdict(set)
        for changed_by, fields in changes:
            self.collect(changed_by, fields)
        users = get_user_model()._default_manager
        self.found = {
            "user": self.find("user", users.only("name", "email"), full_name),
            "project": self.find("project", Project.objects.only("name"), str),
            "task": self.find("task", Task.objects.only("title"), str),
        }

    def collect(self, changed_by: UUID | None, fields: list[Entry]) -> None:
        if changed_by:
            self.ids["user"].add(str(changed_by))
        for entry in fields:
            for value in filter(None, (entry["from"], entry["to"])):
                if kind := REFERENCES.get(entry["field"]):
                    self.ids[kind].add(value)
                elif entry["field"] == "member":
                    self.ids["user"].add(value["userId"])

    def find(self, kind: str, rows: Any, show: Any) -> dict[str, str]:
        found = rows.filter(pk__in=self.ids[kind])
        return {str(row.pk): show(row) for row in found}

    def get(self, kind: str, pk: object) -> str:
        return self.found[kind].get(str(pk), UNKNOWN[kind])


def sentences(fields: list[Entry], names: Names) -> Iterator[str]:
    for entry in fields:
        field, before, after = entry["field"], entry["from"], entry["to"]
        if field == "member":
            yield member(before, after, names)
        elif field == "invitation":
            yield invitation(before, after)
        else:
            label = LABELS.get(field, field)
            values = [show(field, value, names) for value in (before, after)]
            yield f"{label}: {' → '.join(values)}"


def show(field: str, value: Any, names: Names) -> str:
    if not value:
        return NOBODY if field == "assigneeId" else NOTHING
    if kind := REFERENCES.get(field):
        return names.get(kind, value)
    if field in CHOICES:
        return str(CHOICES[field].get(value, value))
    if field in DATES:
        moment = timezone.localtime(datetime.fromisoformat(value))
        return formats.date_format(moment, "DATETIME_FORMAT")
    text = ", ".join(value) if isinstance(value, list) else str(value)
    return Truncator(" ".join(text.split())).chars(MAX_CHARACTERS)


def member(before: Any, after: Any, names: Names) -> str:
    name = names.get("user", (before or after)["userId"])
    if before and after:
        return f"member {name}: {role(before)} → {role(after)}"
    return f"{name} became {role(after)}" if after else f"{name} left, {role(before)}"


def invitation(before: Any, after: Any) -> str:
    address = f"{(before or after)['email']} as {role(before or after)}"
    return f"invited {address}" if after else f"invitation of {address} closed"


def role(entry: Entry) -> str:
    return str(Role[entry["role"]].label).lower()


class HistoryInline(admin.TabularInline):
    """The newest changes of a row."""

    verbose_name_plural = f"Changes, the last {MAX_CHANGES}"
    max_num = extra = 0
    can_delete = False

    shown: QuerySet[Any]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        match: Any = request.resolver_match
        key = f"{self.parent_model._meta.model_name}_id"
        all_ = self.model._default_manager.order_by(*self.get_ordering(request))
        newest = all_.filter(**{key: match.kwargs.get("object_id")})
        self.shown = all_.filter(pk__in=newest.values("pk")[:MAX_CHANGES])
        return self.shown

    @cached_property
    def names(self) -> Names:
        return Names(self.shown.values_list("changed_by", "fields"))

    @admin.display(description="by")
    def who(self, change: Any) -> str:
        by = change.changed_by
        return self.names.get("user", by) if by else COMMAND

    @admin.display(description="what")
    def what(self, change: Any) -> SafeString:
        lines = ((line,) for line in sentences(change.fields, self.names))
        return format_html_join("", "<div>{}</div>", lines)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class TaskChangeInline(HistoryInline):
    model = TaskChange
    fields = readonly_fields = ("version", "changed_at", "who", "what", "request_id")
    ordering = ("-version",)


class ProjectChangeInline(HistoryInline):
    model = ProjectChange
    fields = readonly_fields = ("changed_at", "who", "what", "request_id")
    ordering = ("-pk",)
