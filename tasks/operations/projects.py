"""How projects are written: made, changed, archived, put in the trash and restored.

Archive and trash write one row, whatever the project holds: lists leave out the tasks
of such projects.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction

from taskapi.api.errors import Conflict
from taskapi.api.preconditions import NO_PRECONDITION, Precondition
from tasks import access
from tasks.access import ProjectNotFound
from tasks.fields import to_rfc3339
from tasks.models import Project, ProjectChange, Role
from tasks.operations.context import ActorContext
from tasks.operations.spaces import Space, finish, lock_spaces
from tasks.positions import last_position
from tasks.projects import project_etag, project_to_dict
from tasks.usage import QuotaExceeded
from tasks.webhooks import events
from tasks.webhooks.events import Event

# What the history of a project tells of, with the names on the wire.
HISTORY = {
    "name": "name",
    "description": "description",
    "color": "color",
    "archived_at": "archivedAt",
    "deleted_at": "deletedAt",
}


@dataclass
class LockedProject:
    """A project whose owner's row is locked, and who may do what with it."""

    project: Project
    access: access.ProjectAccess
    space: Space
    context: ActorContext
    spaces: Mapping[UUID, Space]

    def require_match(self, expects: Precondition) -> None:
        project, role = self.project, self.access.role
        current = project_to_dict(project, role)
        expects.require(project_etag(project.version, role), current, project.version)

    def require_no_inbox(self, verb: str) -> None:
        if self.project.is_inbox:
            raise Conflict(f"The inbox cannot be {verb}.")

    def apply(self, values: Mapping[str, Any]) -> None:
        """Set model fields, and record what differs."""
        before = self.project.apply(values, self.context.now)
        if not before:
            return
        self.project.revision, self.space.is_changed = self.space.revision, True
        self.project.save()
        record_change(self.project, diff(before, self.project), self.context)
        if "destroyed_at" not in before:
            self.tell(kind_of_change(before, self.project))

    def tell(self, kind: str) -> None:
        tell(self.space, self.project, kind, self.context)


def kind_of_change(before: Mapping[str, Any], project: Project) -> str:
    if "deleted_at" not in before:
        return "updated"
    return "deleted" if project.deleted_at else "restored"


def tell(space: Space, project: Project, kind: str, context: ActorContext) -> None:
    """Write an event for webhooks, if there are any."""
    if space.has_webhooks:
        # Each reader gets its own role at the delivery.
        data = project_to_dict(project, Role.OWNER)
        event = Event(f"project.{kind}", project.pk, project.owner_id, project.pk, data)
        events.write([event], context.now)


def create_project(values: Mapping[str, Any], context: ActorContext) -> Project:
    """QuotaExceeded, SpaceNotCovered."""
    access.require_space(context.project_ids)
    with transaction.atomic():
        [space] = lock_spaces({context.owner_id}).values()
        require_room(context.owner_id)
        pk = uuid4()
        project = Project(
            id=pk,
            owner_id=context.owner_id,
            position=last_position(pk, context.now),
            revision=space.revision,
            created_at=context.now,
            updated_at=context.now,
            **values,
        )
        project.save(force_insert=True)
        present = {name: None for name in values if values[name] is not None}
        record_change(project, diff(present, project), context)
        tell(space, project, "created", context)
        space.is_changed = True
        finish([space])
    return project


def require_room(owner_id: UUID) -> None:
    count = Project.objects.filter(owner_id=owner_id, destroyed_at=None).count()
    if count >= settings.QUOTA_PROJECTS:
        raise QuotaExceeded(
            f"QUOTA_PROJECTS: an account may have {settings.QUOTA_PROJECTS:,} "
            "projects, with those in the trash."
        )


@contextmanager
def locked(
    project_id: UUID,
    context: ActorContext,
    *,
    needed: Role | None,
    others: Collection[UUID] = (),
) -> Iterator[LockedProject]:
    """The project, in a transaction that holds its owner's row, and those of `others`;
    ProjectNotFound, ProjectForbidden, RoleForbidden. It may be in the trash. With
    `needed` None, a stranger may have it.
    """
    with transaction.atomic():
        owner_id = find_owner(project_id)
        spaces = lock_spaces({owner_id, *others})
        accesses = access.get_accesses(
            context.owner_id, [project_id], context.project_ids
        )
        if (found := accesses.get(project_id)) is None:
            raise ProjectNotFound
        if needed:
            found.require(needed)
        project = Project.objects.get(pk=project_id)
        yield LockedProject(project, found, spaces[owner_id], context, spaces)
        finish(spaces.values())


def find_owner(project_id: UUID) -> UUID:
    """Projects do not change hands, so this needs no lock."""
    projects = Project.objects.filter(pk=project_id, owner__erased_at=None)
    owner_id = projects.values_list("owner_id", flat=True).first()
    if owner_id is None:
        raise ProjectNotFound
    return owner_id


def update_project(
    project_id: UUID,
    values: Mapping[str, Any],
    context: ActorContext,
    expects: Precondition = NO_PRECONDITION,
) -> LockedProject:
    """Set model fields; with `archived_at`, archive it or take it out of the archive,
    which only its owner may.
    """
    with locked(project_id, context, needed=Role.MANAGER) as found:
        if found.access.is_deleted:
            raise ProjectNotFound
        found.require_match(expects)
        values = without_repetition(found.project, values)
        if "archived_at" in values:
            found.access.require(Role.OWNER)
            found.require_no_inbox("archived")
        elif values and found.access.is_archived:
            found.access.require_open()
        found.apply(values)
        if "archived_at" in values:
            access.update_reads_projects(found.project.owner_id)
    return found


def without_repetition(
    project: Project, values: Mapping[str, Any]
) -> Mapping[str, Any]:
    """Archiving what is archived changes nothing, nor its time."""
    is_same = bool(values.get("archived_at")) == bool(project.archived_at)
    if "archived_at" in values and is_same:
        return {name: values[name] for name in values if name != "archived_at"}
    return values


def delete_project(
    project_id: UUID, context: ActorContext, expects: Precondition
) -> None:
    """Move a project with its tasks to the trash."""
    with locked(project_id, context, needed=Role.OWNER) as found:
        if found.access.is_deleted:
            raise ProjectNotFound
        found.require_match(expects)
        found.require_no_inbox("deleted")
        found.apply({"deleted_at": context.now})
        access.update_reads_projects(found.project.owner_id)


def restore_project(
    project_id: UUID, context: ActorContext, expects: Precondition
) -> LockedProject:
    """Take a project with its tasks back out of the trash."""
    with locked(project_id, context, needed=Role.OWNER) as found:
        if not found.access.is_deleted:
            raise ProjectNotFound
        found.require_match(expects)
        found.project.restored_revision = found.space.revision
        found.apply({"deleted_at": None})
        access.update_reads_projects(found.project.owner_id)
    return found


def destroy_project(
    project_id: UUID, context: ActorContext, expects: Precondition
) -> None:
    """Remove a project in the trash for good; housekeeping removes its rows."""
    with locked(project_id, context, needed=Role.OWNER) as found:
        if not found.access.is_deleted:
            raise ProjectNotFound
        found.require_match(expects)
        found.apply({"destroyed_at": context.now})


def diff(before: Mapping[str, Any], project: Project) -> list[dict[str, Any]]:
    return [
        {
            "field": name,
            "from": plain(before[column]),
            "to": plain(getattr(project, column)),
        }
        for column, name in HISTORY.items()
        if column in before
    ]


def plain(value: Any) -> Any:
    return to_rfc3339(value) if hasattr(value, "isoformat") else value


def record_change(
    project: Project, fields: list[dict[str, Any]], context: ActorContext
) -> None:
    if fields:
        ProjectChange.objects.create(
            project=project,
            changed_by=context.actor_id,
            changed_at=context.now,
            request_id=context.request_id,
            fields=fields,
        )
