"""A whole project as lines of JSON: itself, then members, labels, tasks and comments.

    {"type": "project", "name": …}
    {"type": "member", "email": …, "role": …}
    {"type": "label", "name": …, "color": …}
    {"type": "task", "id": …, "parentId": …, "assignee": an e-mail address, …}
    {"type": "comment", "taskId": …, "author": an e-mail address, "text": …}

A parent comes before its subtasks. What is in the trash is not in it.
"""

import json
from collections.abc import Iterator
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model

from taskapi.db.pages import in_pages
from tasks.comments import comment_to_dict
from tasks.fields import get_values, task_to_dict
from tasks.models import Comment, Label, Project, Role, Task
from tasks.projects import project_to_dict

# Fields that another installation sets itself.
OF_PROJECT = ("name", "description", "color", "archivedAt")
# How far below the root, as the names of a query.
LEVELS = ("parent", "parent__parent", "parent__parent__parent")
MAX_EMAILS = 10_000


def write(project: Project) -> Iterator[str]:
    for line in lines(project):
        yield json.dumps(line, ensure_ascii=False) + "\n"


def lines(project: Project) -> Iterator[dict[str, Any]]:
    emails = Emails()
    shown = project_to_dict(project, Role.OWNER)
    yield {"type": "project"} | {name: shown[name] for name in OF_PROJECT}
    members = project.memberships.filter(user__erased_at=None).select_related("user")
    for member in members.order_by("joined_at", "pk"):
        role = Role(member.role).name
        yield {"type": "member", "email": member.user.email, "role": role}
    live = Task.objects.live().filter(project=project)
    labels = Label.objects.filter(task_labels__task__in=live).distinct()
    for label in labels.order_by("key"):
        yield {"type": "label", "name": label.name, "color": label.color}
    for task in tasks(project):
        row = task_to_dict(get_values(task)) | {"assignee": emails[task.assignee_id]}
        yield {"type": "task", **row}
    comments = Comment.objects.filter(task__in=live)
    for page in in_pages(comments, Comment.OCTETS):
        for comment in page:
            row = comment_to_dict(comment) | {"author": emails[comment.author_id]}
            yield {"type": "comment", **row}


def tasks(project: Project) -> Iterator[Task]:
    live = Task.objects.live().filter(project=project)
    found = [live.filter(parent=None)]
    for level, below in zip(LEVELS, [*LEVELS[1:], None], strict=True):
        deep = live.filter(**{f"{level}__isnull": False})
        found.append(deep.filter(**{below: None}) if below else deep)
    for each in found:
        for page in in_pages(each, Task.TEXT_OCTETS):
            yield from page


class Emails(dict[UUID | None, str | None]):
    """The addresses of accounts by their ids, each read once."""

    def __missing__(self, pk: UUID | None) -> str | None:
        if len(self) >= MAX_EMAILS:
            self.clear()
        users = get_user_model()._default_manager.filter(pk__in=[pk] if pk else [])
        self[pk] = users.values_list("email", flat=True).first()
        return self[pk]
