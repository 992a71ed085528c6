"""Projects and members, made through the code that makes them in production."""

from typing import Any

from django.core import mail
from django.utils import timezone

from accounts.models import User
from taskapi.api.preconditions import NO_PRECONDITION
from tasks import access
from tasks.models import Membership, Project, Role, Task
from tasks.operations import ActorContext, Create, members, perform_one, projects
from tests.mailbox import deliver


def author(user: User) -> ActorContext:
    user = User.objects.get(pk=user.pk)
    return ActorContext(
        user.pk, user.pk, "test", timezone.now(), reads_projects=user.reads_projects
    )


def make_project(owner: User, name: str = "House", **values: Any) -> Project:
    return projects.create_project({"name": name, **values}, author(owner))


def share(project: Project, user: User, role: Role = Role.EDITOR) -> Membership:
    """Make the user a member, as an accepted invitation does."""
    with projects.locked(
        project.pk, author(user), needed=None, others={user.pk}
    ) as found:
        members.add_member(found, user.pk, role)
    return Membership.objects.get(project=project, user=user)


def leave(member: Membership) -> None:
    user = User.objects.get(pk=member.user_id)
    members.remove_member(member.project_id, user.pk, author(user), NO_PRECONDITION)


def task_in(project: Project, **values: Any) -> Task:
    values = {"title": "Water the plants", "project_id": project.pk} | values
    return perform_one(Create(values), author(project.owner))


def hide(project: Project, **columns: Any) -> None:
    """Set `archived_at`, `deleted_at` or both."""
    Project.objects.filter(pk=project.pk).update(**columns)
    access.update_reads_projects(project.owner_id)


def archive(project: Project) -> None:
    values = {"archived_at": timezone.now()}
    projects.update_project(project.pk, values, author(project.owner))


def delete(project: Project) -> None:
    projects.delete_project(project.pk, author(project.owner), NO_PRECONDITION)


def mailed_tokens() -> list[str]:
    """Out of the mails that were sent, the last one last."""
    deliver()
    return [
        line.rpartition(" ")[2]
        for message in mail.outbox
        for line in str(message.body).splitlines()
        if "token is:" in line
    ]
