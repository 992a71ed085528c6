"""The one place that decides who may do what with which projects and tasks.

Every queryset of a view starts here, and every write asks here. An account may
everything in its own space, and in the projects of others what its role there allows;
each role may what those below it may.

`principal.reads_projects` is false for accounts whose tasks are all their own and in
projects that are neither archived nor in the trash: then no project has to be read.
`principal.project_ids` are the projects that its personal token covers: to all others
it is a stranger, and so it is to what concerns a whole space. None are all projects.
"""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, lru_cache
from typing import Any, Protocol, cast
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db.models import (
    Exists,
    FilteredRelation,
    OuterRef,
    Q,
    QuerySet,
    UUIDField,
)
from rest_framework.exceptions import (
    APIException,
    NotFound,
    PermissionDenied,
    ValidationError,
)

from taskapi.api.errors import Conflict
from taskapi.db.compiled import CompiledQuery, Placeholder
from tasks.models import (
    Comment,
    Delivery,
    FormerMember,
    Label,
    Membership,
    Project,
    Role,
    Task,
    TaskLabel,
    TaskQuerySet,
    Webhook,
    inbox_id,
)

# In the queries below.
USER = Placeholder("user", UUIDField())
ROLE = "membership_of_principal__role"


class TaskNotFound(NotFound):
    default_detail = "Task not found."


class ProjectNotFound(NotFound):
    default_detail = "Project not found."


class CommentNotFound(NotFound):
    default_detail = "Comment not found."


class CommentForbidden(PermissionDenied):
    default_detail = "This comment was written by somebody else."


class TaskForbidden(PermissionDenied):
    default_detail = "This task belongs to somebody else."


class ProjectForbidden(PermissionDenied):
    default_detail = "This project belongs to somebody else."


class PersonForbidden(PermissionDenied):
    default_detail = "You share no project with this account."


class NotCovered(PermissionDenied):
    default_detail = "The personal token does not cover this project."


class SpaceNotCovered(PermissionDenied):
    default_detail = (
        "This concerns all of your projects, and the personal token covers some."
    )


class LabelNotFound(NotFound):
    default_detail = "Label not found."


class LabelForbidden(PermissionDenied):
    default_detail = "This label belongs to somebody else."


class WebhookNotFound(NotFound):
    default_detail = "Webhook not found."


class WebhookForbidden(PermissionDenied):
    default_detail = "This webhook belongs to somebody else."


class DeliveryNotFound(NotFound):
    default_detail = "Delivery not found."


class RoleForbidden(PermissionDenied):
    """The role does not suffice."""

    def __init__(self, role: int, needed: Role) -> None:
        name = Role(role).name
        super().__init__(
            f"Your role in this project is {name}; this takes {needed.name}."
        )


# The ids of projects that a personal token covers; None for all.
Covered = Collection[UUID] | None


class Principal(Protocol):
    """`request.user`, or the placeholder for it in a compiled query."""

    @property
    def pk(self) -> Any: ...

    @property
    def reads_projects(self) -> bool: ...

    @property
    def project_ids(self) -> Covered: ...


@dataclass(frozen=True)
class ProjectAccess:
    """What one account may do in one project; `role` is 0 for a stranger."""

    id: UUID
    owner_id: UUID
    role: int
    is_archived: bool = False
    is_deleted: bool = False
    # By the personal token; where it is not, `role` is 0.
    is_covered: bool = True

    def refusal(
        self, exists: type[APIException], erased: type[APIException]
    ) -> APIException:
        """Why a stranger is refused."""
        if not self.is_covered:
            return NotCovered()
        return forbidden(self.owner_id, exists, erased)

    def require(self, needed: Role) -> None:
        """ProjectForbidden for strangers, NotCovered, RoleForbidden."""
        if not self.role:
            raise self.refusal(ProjectForbidden, ProjectNotFound)
        if self.role < needed:
            raise RoleForbidden(self.role, needed)

    def require_open(self) -> None:
        """Conflict while the project is archived; ProjectNotFound in the trash."""
        if self.is_deleted:
            raise ProjectNotFound
        if self.is_archived:
            raise Conflict("This project is archived; restore it from there first.")

    def require_visible_task(self, task: Task) -> None:
        """TaskForbidden for strangers; TaskNotFound where a project in the trash took
        the task with it, and for members where it took a task that was there already.
        """
        if not self.role:
            raise self.refusal(TaskForbidden, TaskNotFound)
        if self.is_deleted and (not task.deleted_at or self.role < Role.OWNER):
            raise TaskNotFound

    def require_editable_task(self, task: Task) -> None:
        """Also RoleForbidden, and Conflict while the project is archived."""
        self.require_visible_task(task)
        self.require(Role.EDITOR)
        if self.is_archived:
            raise Conflict("The project of this task is archived.")

    def require_open_task(self, task: Task) -> None:
        """For whoever writes comments: also TaskNotFound while the task is in the
        trash, and Conflict while the project is archived.
        """
        self.require_visible_task(task)
        if task.deleted_at:
            raise TaskNotFound
        if self.is_archived:
            raise Conflict("The project of this task is archived.")

    def require_editable_comment(self, comment: Comment, principal_id: UUID) -> None:
        """Its author edits it, who has to be an editor still."""
        self.require(Role.EDITOR)
        if comment.author_id != principal_id:
            raise CommentForbidden

    def require_deletable_comment(self, comment: Comment, principal_id: UUID) -> None:
        """Its author deletes it, in whatever role, or a manager."""
        if comment.author_id != principal_id and self.role < Role.MANAGER:
            raise CommentForbidden


def forbidden(
    owner_id: UUID, exists: type[APIException], erased: type[APIException]
) -> APIException:
    """Nothing of an erased account exists for anybody, even before it is removed."""
    owners = get_user_model()._default_manager.filter(pk=owner_id)
    return exists() if owners.exists() else erased()


def own(owner_id: UUID, project_id: UUID | None) -> ProjectAccess:
    """The access of an owner whose projects all are in use; reads nothing."""
    return ProjectAccess(project_id or inbox_id(owner_id), owner_id, Role.OWNER)


def is_covered(covered: Covered, project_id: UUID) -> bool:
    return covered is None or project_id in covered


def covered_by(principal: Principal, rows: QuerySet[Any], column: str) -> Any:
    """Those rows whose project, in this column, the principal's token covers."""
    if principal.project_ids is None:
        return rows
    return rows.filter(**{f"{column}__in": principal.project_ids})


def require_space(covered: Covered) -> None:
    """SpaceNotCovered, for what concerns more than projects that a token covers."""
    if covered is not None:
        raise SpaceNotCovered


def require_projects(user: Principal, project_ids: Collection[UUID]) -> None:
    """See settings.PERSONAL_TOKEN_PROJECTS; ValidationError for a project that does not
    exist, ProjectForbidden for one that the user may not see.
    """
    accesses = get_accesses(user.pk, project_ids)
    for pk in project_ids:
        found = accesses.get(pk)
        if found is None or (found.is_deleted and found.role):
            raise no_such("projectIds", "project", pk)
        found.require(Role.VIEWER)


def get_accesses(
    principal_id: UUID, project_ids: Collection[UUID], covered: Covered = None
) -> dict[UUID, ProjectAccess]:
    """The access to each of these projects that exists, in one statement."""
    ids = {f"project{n}": pk for n, pk in enumerate(project_ids)}
    if not ids:
        return {}
    rows = accesses_query(len(ids)).rows(ids | {"user": principal_id})
    return {
        pk: ProjectAccess(
            pk,
            owner_id,
            role_of(is_own=owner_id == principal_id, role=role)
            if is_covered(covered, pk)
            else 0,
            archived_at is not None,
            deleted_at is not None or destroyed_at is not None,
            is_covered(covered, pk),
        )
        for pk, owner_id, role, archived_at, deleted_at, destroyed_at in rows
        if destroyed_at is None
    }


@lru_cache(maxsize=32)
def accesses_query(count: int) -> CompiledQuery:
    """So many projects, with the role of one account."""
    ids: Any = [Placeholder(f"project{n}", UUIDField()) for n in range(count)]
    # Nothing of an erased account exists for anybody.
    known = Project.objects.filter(pk__in=ids, owner__erased_at=None)
    columns = ("pk", "owner_id", ROLE, "archived_at", "deleted_at", "destroyed_at")
    return CompiledQuery.compile(with_role(known, USER).values_list(*columns))


def role_of(*, is_own: bool, role: int | None) -> int:
    return Role.OWNER if is_own else role or 0


def with_role(projects: QuerySet[Project], principal_id: Any) -> QuerySet[Project]:
    """With the role of a member as ROLE, null for owners and strangers."""
    mine = Q(memberships__user_id=principal_id)
    return projects.annotate(
        membership_of_principal=FilteredRelation("memberships", condition=mine)
    )


def get_access(principal: Principal, project_id: UUID) -> ProjectAccess:
    """ProjectNotFound, also for a project in the trash."""
    accesses = get_accesses(principal.pk, [project_id], principal.project_ids)
    access = accesses.get(project_id)
    if access is None or (access.is_deleted and access.role):
        raise ProjectNotFound
    return access


def access_to_task(principal: Principal, task: Task) -> ProjectAccess:
    """The principal's access to the project of a task; reads nothing where it can."""
    if task.user_id == principal.pk and not principal.reads_projects:
        return own(task.user_id, task.project_id)
    return access_to_owner(task, principal.pk, principal.project_ids)


def access_to_owner(
    task: Task, principal_id: UUID, covered: Covered = None
) -> ProjectAccess:
    """The access to the project of a task, in the trash or not."""
    accesses = get_accesses(principal_id, [task.project_id], covered)
    return access_in(accesses, task, principal_id, covered)


def access_in(
    accesses: dict[UUID, ProjectAccess],
    task: Task,
    principal_id: UUID,
    covered: Covered = None,
) -> ProjectAccess:
    """The access to a task's project; of one that was destroyed, the owner keeps it."""
    has_project = is_covered(covered, task.project_id)
    is_owner = has_project and task.user_id == principal_id
    destroyed = ProjectAccess(
        task.project_id,
        task.user_id,
        Role.OWNER if is_owner else 0,
        is_deleted=True,
        is_covered=has_project,
    )
    return accesses.get(task.project_id, destroyed)


def own_tasks(principal: Principal) -> TaskQuerySet:
    """All tasks of the principal's own space, live and deleted."""
    return Task.objects.filter(user_id=principal.pk)


def visible_to(principal: Principal) -> TaskQuerySet:
    """The tasks that may be read, live and deleted, but for those that a project took
    with it to the trash.
    """
    if not principal.reads_projects:
        return own_tasks(principal)
    shared = Membership.objects.filter(
        user_id=principal.pk,
        project__in=Project.objects.live().filter(owner__erased_at=None),
    )
    deleted = Project.objects.filter(owner_id=principal.pk, deleted_at__isnull=False)
    found = Task.objects.filter(
        Q(user_id=principal.pk) & ~Q(project__in=deleted)
        | Q(project__in=shared.values("project"))
    )
    return cast(TaskQuerySet, covered_by(principal, found, "project"))


def trash_of(principal: Principal) -> TaskQuerySet:
    """The tasks that were deleted in the principal's own space."""
    found = own_tasks(principal).trashed()
    return cast(TaskQuerySet, covered_by(principal, found, "project"))


def get_trashed(principal: Principal, pk: UUID) -> Task:
    """A deleted task of the principal's own space; TaskNotFound, TaskForbidden,
    NotCovered.
    """
    task = Task.objects.trashed().filter(pk=pk).first()
    if task is None:
        raise TaskNotFound
    if not is_covered(principal.project_ids, task.project_id):
        raise NotCovered
    if task.user_id != principal.pk:
        raise forbidden(task.user_id, TaskForbidden, TaskNotFound)
    return task


def get_task(principal: Principal, pk: UUID) -> tuple[Task, ProjectAccess]:
    """A task, live or deleted, and the access to its project; TaskNotFound,
    TaskForbidden.
    """
    task = Task.objects.exclude_emptied().filter(pk=pk).first()
    if task is None:
        raise TaskNotFound
    access = access_to_task(principal, task)
    access.require_visible_task(task)
    return task, access


def sees_all_history(principal: Principal, project: ProjectAccess) -> bool:
    """Whether also what happened to a task before it came into this project."""
    return project.role == Role.OWNER and principal.project_ids is None


def get_comment(principal: Principal, task_id: UUID, comment_id: UUID) -> Comment:
    """A comment on a task, live or deleted; TaskNotFound, TaskForbidden,
    CommentNotFound.
    """
    task, _ = get_task(principal, task_id)
    comment = Comment.objects.filter(pk=comment_id, task=task).first()
    if comment is None:
        raise CommentNotFound
    return comment


def labels_of(owner_id: UUID) -> QuerySet[Label]:
    return Label.objects.filter(owner_id=owner_id)


def visible_labels(principal: Principal) -> QuerySet[Label]:
    """The labels of the own space; for a token that covers some projects, those of
    their live tasks.
    """
    labels = labels_of(principal.pk)
    if principal.project_ids is None:
        return labels
    live = TaskLabel.objects.filter(
        label=OuterRef("pk"),
        project__in=principal.project_ids,
        project__deleted_at=None,
    )
    return labels.filter(Exists(live))


def get_visible_label(principal: Principal, pk: UUID) -> Label:
    """LabelNotFound, LabelForbidden, NotCovered."""
    label = get_label(principal.pk, pk)
    is_narrowed = principal.project_ids is not None
    if is_narrowed and not visible_labels(principal).filter(pk=pk).exists():
        raise NotCovered("The personal token covers no project with this label.")
    return label


def get_label(principal_id: UUID, pk: UUID) -> Label:
    """A label of the principal's own space; LabelNotFound, LabelForbidden."""
    label = Label.objects.filter(pk=pk).first()
    if label is None:
        raise LabelNotFound
    if label.owner_id != principal_id:
        raise forbidden(label.owner_id, LabelForbidden, LabelNotFound)
    return label


def require_shown(principal: Principal, tasks: Iterable[dict[str, Any]]) -> None:
    """TaskForbidden unless the principal may still see these tasks, as a response has
    shown them.
    """
    covered = principal.project_ids
    foreign = {
        each["id"]
        for each in tasks
        if covered is not None or each["userId"] != str(principal.pk)
    }
    if not foreign:
        return
    stored = Task.objects.filter(pk__in=foreign)
    projects = {each.project_id for each in stored}
    accesses = get_accesses(principal.pk, projects, covered)
    roles = [access_in(accesses, each, principal.pk, covered) for each in stored]
    visible = [each for each in roles if each.role and not each.is_deleted]
    if len(visible) < len(foreign):
        raise TaskForbidden


def require_shown_comment(principal: Principal, task_id: UUID) -> None:
    """TaskForbidden unless the principal may still see this task's comments."""
    try:
        get_task(principal, task_id)
    except TaskNotFound as error:
        raise TaskForbidden from error


@dataclass(frozen=True)
class Share:
    """A project that a list looks at; `revision` is its owner's."""

    id: UUID
    owner_id: UUID
    role: int
    is_archived: bool
    revision: int


def get_shares(principal_id: UUID) -> list[Share]:
    """The projects of others that an account is a member of, in the order of ids."""
    return [
        Share(pk, owner_id, role, archived_at is not None, revision)
        for pk, owner_id, role, archived_at, revision in (
            shares_query().rows({"user": principal_id})
        )
    ]


@cache
def shares_query() -> CompiledQuery:
    live = Project.objects.live().filter(memberships__user_id=USER)
    rows = live.filter(owner__erased_at=None).order_by("pk")
    return CompiledQuery.compile(
        rows.values_list(
            "pk", "owner_id", "memberships__role", "archived_at", "owner__revision"
        )
    )


def get_shares_of(principal: Principal) -> list[Share]:
    """`get_shares` that the token covers, without a statement where there are none."""
    shares = get_shares(principal.pk) if principal.reads_projects else []
    return [each for each in shares if is_covered(principal.project_ids, each.id)]


def projects_visible_to(
    principal: Principal, shares: Iterable[Share], *, own: bool = True
) -> QuerySet[Project]:
    """Live projects: the principal's own, if they are wanted, and those shared."""
    found = Q(pk__in=[share.id for share in shares])
    if own:
        found |= Q(owner_id=principal.pk)
    return cast(
        QuerySet[Project],
        covered_by(principal, Project.objects.live().filter(found), "pk"),
    )


def trashed_projects_of(principal: Principal) -> QuerySet[Project]:
    found = Project.objects.filter(owner_id=principal.pk).trashed()
    return cast(QuerySet[Project], covered_by(principal, found, "pk"))


def get_project(
    principal: Principal, pk: UUID, needed: Role = Role.VIEWER
) -> tuple[Project, ProjectAccess]:
    """A live project, and what the principal may do in it; ProjectNotFound,
    ProjectForbidden, RoleForbidden.
    """
    found = get_access(principal, pk)
    found.require(needed)
    project = Project.objects.live().filter(pk=pk).first()
    if project is None:  # gone in this moment
        raise ProjectNotFound
    return project, found


def members_among(project_id: UUID, user_ids: Iterable[UUID]) -> set[UUID]:
    """Those of the accounts that are members of the project."""
    found = Membership.objects.filter(project_id=project_id, user__in=user_ids)
    return set(found.values_list("user_id", flat=True))


def people(principal: Principal, ids: Collection[UUID]) -> QuerySet[Any]:
    """Those of the accounts whose names the principal may see: its own, and those that
    share or shared a project with it.
    """
    mine = Membership.objects.filter(user_id=principal.pk)
    left = FormerMember.objects.filter(user_id=principal.pk)
    members, former = (
        covered_by(principal, model._default_manager.filter(user__in=ids), "project")
        for model in (Membership, FormerMember)
    )
    owners = covered_by(principal, Project.objects.filter(owner__in=ids), "pk")
    is_mine, was_mine = Q(project__owner_id=principal.pk), left.values("project")
    # Who joined a project after the principal had left it never shared it.
    met = left.filter(project=OuterRef("project"), left_at__gte=OuterRef("joined_at"))
    # Not one condition with OR: that would be looked for in all projects.
    known = [
        *(members.filter(project__in=mine.values("project")), members.filter(is_mine)),
        members.filter(Exists(met), project__in=was_mine),
        *(former.filter(project__in=mine.values("project")), former.filter(is_mine)),
        former.filter(project__in=was_mine),
    ]
    found = owners.filter(pk__in=mine.values("project")).values_list("owner_id")
    found = found.union(
        owners.filter(pk__in=was_mine).values_list("owner_id"),
        *(each.values_list("user_id") for each in known),
    )
    # The default manager leaves out the erased.
    users = get_user_model()._default_manager
    return users.filter(pk__in=[principal.pk, *(pk for (pk,) in found)]).filter(
        pk__in=ids
    )


def require_people(principal: Principal, name: str, ids: Collection[UUID]) -> None:
    """PersonForbidden; ValidationError of the parameter for who does not exist."""
    unknown = set(ids) - {principal.pk}
    if unknown:
        unknown -= pks_of(people(principal, unknown))
    if not unknown:
        return
    users = get_user_model()._default_manager.filter(pk__in=unknown)
    if missing := unknown - pks_of(users):
        raise no_such(name, "account", min(missing))
    raise PersonForbidden


def require_parents(principal: Principal, ids: Collection[UUID]) -> None:
    """The tasks that a filter names; ValidationError, TaskForbidden."""
    if not ids:
        return
    found = Task.objects.exclude_emptied().filter(pk__in=ids)
    tasks = {each.pk: each for each in found.only("user", "project", "deleted_at")}
    covered, reads_projects = principal.project_ids, principal.reads_projects
    looked_at = {
        each.project_id
        for each in tasks.values()
        if reads_projects or each.user_id != principal.pk
    }
    accesses = get_accesses(principal.pk, looked_at, covered)
    for pk in ids:
        if pk not in tasks:
            raise no_such("parent", "task", pk)
        task = tasks[pk]
        if task.project_id not in looked_at:
            continue
        try:
            access_in(accesses, task, principal.pk, covered).require_visible_task(task)
        except TaskNotFound:
            raise no_such("parent", "task", pk) from None


def pks_of(rows: QuerySet[Any]) -> set[Any]:
    return set(rows.values_list("pk", flat=True))


def no_such(name: str, kind: str, pk: UUID) -> ValidationError:
    """What a parameter or a field names does not exist."""
    return ValidationError({name: [f"There is no {kind} {pk}."]}, "invalid")


def update_reads_projects(user_id: UUID) -> None:
    """Store whether lists of this account look at projects, whose row is locked."""
    hidden = Project.objects.filter(owner_id=user_id).exclude(
        archived_at=None, deleted_at=None
    )
    is_member = Membership.objects.filter(user_id=user_id).exists()
    users = get_user_model()._base_manager.filter(pk=user_id)
    users.update(reads_projects=is_member or hidden.exists())


def webhooks_of(
    principal_id: UUID, covered: Collection[UUID] | None = None
) -> QuerySet[Webhook]:
    """The principal's own; of a personal token that covers some projects, theirs."""
    mine = Webhook.objects.filter(user_id=principal_id)
    return mine if covered is None else mine.filter(project__in=covered)


def get_webhook(
    principal_id: UUID, pk: UUID, covered: Collection[UUID] | None = None
) -> Webhook:
    """A webhook of the principal's own; WebhookNotFound, WebhookForbidden."""
    mine = webhooks_of(principal_id, covered).select_related("user", "project")
    if webhook := mine.filter(pk=pk).first():
        return webhook
    webhook = Webhook.objects.filter(pk=pk).first()
    if webhook is None:
        raise WebhookNotFound
    raise forbidden(webhook.user_id, WebhookForbidden, WebhookNotFound)


def get_delivery(webhook: Webhook, pk: UUID) -> Delivery:
    """DeliveryNotFound."""
    delivery = webhook.deliveries.filter(pk=pk).first()
    if delivery is None:
        raise DeliveryNotFound
    return delivery


def role_of_webhook(webhook: Webhook) -> int:
    """The role that its user has in what it gets events of; 0 if it may get none."""
    user = webhook.user
    if user.erased_at or not user.is_active:
        return 0
    if webhook.project_id is None:
        return Role.OWNER
    found = get_accesses(user.pk, [webhook.project_id]).get(webhook.project_id)
    return found.role if found and not found.is_deleted else 0


def update_has_webhooks(owner_id: UUID) -> None:
    """Store whether events of this space are written; its owner's row is locked."""
    webhooks = Webhook.objects.enabled().listening_to(owner_id)
    users = get_user_model()._base_manager.filter(pk=owner_id)
    users.update(has_webhooks=webhooks.exists())


def revision_of(owner_id: UUID) -> int:
    """The revision of a space that the caller may read something of."""
    users = get_user_model()._base_manager.filter(pk=owner_id)
    return int(users.values_list("revision", flat=True).get())
