"""Which tasks a list is made of: those of the caller's own space, and of projects.

Each source is read by an index of its own, and the statements of a list are compiled
for a number of sources.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from django.db.models import PositiveBigIntegerField, Q, Subquery, UUIDField
from rest_framework.exceptions import ValidationError

from taskapi.db.compiled import Placeholder
from tasks import access
from tasks.access import ProjectAccess, Share
from tasks.filters import EVERYTHING, Where
from tasks.models import HIDDEN_PROJECT, Project, Role, Task, TaskQuerySet

PRINCIPAL = SimpleNamespace(
    pk=Placeholder("user", UUIDField()), reads_projects=False, project_ids=None
)
OWN = "own"
# So many projects are bound to one compiled statement; what is left over is no project.
SIZES = (1, 2, 5, 10, 20, 50, 100, 200)
# Of all the statements that a process keeps. A source takes some 7 KB of a list, and
# 28 KB of a search with filters; the rest of a list as much as BASE_WEIGHT sources.
MAX_WEIGHT = 1_000
BASE_WEIGHT = 4
NO_PROJECT = UUID(int=0)


class Source(NamedTuple):
    """Tasks of one space: the owner's own, if it is the principal, or of a project."""

    tasks: TaskQuerySet
    # Placeholders of the revision of the space, and of its owner.
    revision: Placeholder
    owner: Any
    is_own: bool
    # Of the tasks, or of what else has a project.
    place: Q


class Sources(NamedTuple):
    """`own`: whether, and which tasks of the own space: "", "all" (none is hidden),
    "active" or "archived"; `projects`: how many projects besides.
    """

    own: str = "all"
    projects: int = 0

    def each(self) -> list[Source]:
        shared = [shared_source(n) for n in range(self.projects)]
        if not self.own:
            return shared
        place = own_place(self.own, PRINCIPAL)
        tasks, owner = access.own_tasks(PRINCIPAL).filter(place), PRINCIPAL.pk
        return [Source(tasks, revision_of(OWN), owner, True, place), *shared]


NOWHERE = Sources("", 0)


def weight(shape: Any, sources: Sources) -> int:
    """What the statements of a list weigh in a WeightedCache, in sources."""
    return BASE_WEIGHT + sources.projects


def shared_source(number: int) -> Source:
    pk = Placeholder(f"project{number}", UUIDField())
    owner = Subquery(Project.objects.filter(pk=pk).values("owner_id"))
    place = Q(project_id=pk)
    revision = revision_of(f"{number}")
    return Source(Task.objects.filter(place), revision, owner, False, place)


def revision_of(name: str) -> Placeholder:
    return Placeholder(f"revision_{name}", PositiveBigIntegerField())


def own_place(kind: str, principal: Any) -> Q:
    """What is in the principal's own projects of that kind."""
    if kind == "all":
        return Q()
    mine = Project.objects.filter(owner_id=principal.pk)
    if kind == "active":
        return ~Q(project__in=mine.filter(HIDDEN_PROJECT))
    if kind == "archived":
        archived = mine.filter(archived_at__isnull=False, deleted_at=None)
        return Q(project__in=archived)
    return ~Q(project__in=mine.filter(deleted_at__isnull=False))


@dataclass
class Selection:
    """The sources of one request, and the revisions of their spaces at its start."""

    sources: Sources = field(default_factory=Sources)
    projects: list[UUID] = field(default_factory=list)
    # Of everything that decides what the list shows.
    state: str = ""
    # What a cursor holds: the own revision, or several, by project and OWN.
    start: Any = None

    def tasks(self, principal: Any) -> TaskQuerySet:
        """All of them as one queryset, which is not compiled."""
        found = Task.objects.filter(project__in=self.projects)
        if not self.sources.own:
            return found
        place = own_place(self.sources.own, principal)
        return found | access.own_tasks(principal).filter(place)

    def values(self, start: Any) -> dict[str, Any]:
        """To bind; `start` are the revisions at the start of a walk, if it is one."""
        revisions = start if isinstance(start, dict) else {OWN: start}
        values: dict[str, Any] = {"revision_own": revisions.get(OWN) or 0}
        padding = [NO_PROJECT] * (self.sources.projects - len(self.projects))
        for n, pk in enumerate([*self.projects, *padding]):
            # What was not yet part of the walk at its start is not in it.
            revision = revisions.get(str(pk))
            values[f"project{n}"] = NO_PROJECT if start and revision is None else pk
            values[f"revision_{n}"] = revision or 0
        return values


def select(principal: Any, where: Where) -> Selection:
    """ValidationError for a project that does not exist, ProjectForbidden."""
    if where == EVERYTHING and not principal.reads_projects:
        revision = principal.revision
        return Selection(state=str(revision), start=revision)
    revisions = {OWN: principal.revision}
    if where.projects or principal.project_ids is not None:
        return select_projects(principal, where, revisions)
    own = own_kind(principal, where)
    shares = []
    if principal.reads_projects and where.scope != "own":
        wanted = {"true": {True}, "false": {False}}.get(where.archived, {True, False})
        shares = [
            each
            for each in access.get_shares(principal.pk)
            if each.is_archived in wanted
        ]
    revisions |= {str(each.id): each.revision for each in shares}
    state = [(str(each.id), each.role, each.revision) for each in shares]
    return make_selection(own, [each.id for each in shares], revisions, state)


def own_kind(principal: Any, where: Where) -> str:
    if where.scope == "shared":
        return ""
    if not principal.reads_projects:
        return "" if where.archived == "true" else "all"
    return {"true": "archived", "false": "active"}.get(where.archived, "visible")


def select_projects(
    principal: Any, where: Where, revisions: dict[str, int]
) -> Selection:
    """Those that are asked for; else all that the principal's personal token covers."""
    covered: Any = principal.project_ids
    wanted = where.projects or sorted(covered)
    accesses = access.get_accesses(principal.pk, wanted, covered)
    shares = {each.id: each for each in shared_among(principal, accesses.values())}
    if where.projects:
        found = [require_project(accesses, pk) for pk in wanted]
    else:
        found = [each for pk in wanted if (each := readable(accesses, pk))]
    if where.scope != "all":
        wants_own = where.scope == "own"
        found = [p for p in found if (p.owner_id == principal.pk) == wants_own]
    is_filtered = where.is_archived_given or not where.projects
    if where.archived in {"true", "false"} and is_filtered:
        found = [p for p in found if p.is_archived == (where.archived == "true")]
    for each in found:
        share = shares.get(each.id)
        revisions[str(each.id)] = share.revision if share else principal.revision
    state = [
        (str(each.id), each.role, each.is_archived, revisions[str(each.id)])
        for each in found
    ]
    return make_selection("", [each.id for each in found], revisions, state)


def shared_among(principal: Any, accesses: Any) -> list[Share]:
    is_shared = any(each.owner_id != principal.pk for each in accesses)
    return access.get_shares(principal.pk) if is_shared else []


def require_project(accesses: dict[UUID, ProjectAccess], pk: UUID) -> ProjectAccess:
    found = accesses.get(pk)
    if found is None or (found.is_deleted and found.role):
        raise ValidationError({"project": [f"There is no project {pk}."]}, "invalid")
    found.require(Role.VIEWER)
    return found


def readable(accesses: dict[UUID, ProjectAccess], pk: UUID) -> ProjectAccess | None:
    """None for a project that is in the trash or no longer shared."""
    found = accesses.get(pk)
    return found if found and found.role and not found.is_deleted else None


def make_selection(
    own: str, projects: Sequence[UUID], revisions: dict[str, int], state: Any
) -> Selection:
    size = next((n for n in SIZES if n >= len(projects)), len(projects))
    count = size if projects else 0
    token = str(revisions[OWN])
    if state or own != "all":
        text = f"{token} {own} {state}".encode()
        # Numbers of others' revisions would tell of what they do elsewhere.
        token = blake2b(text, digest_size=12).hexdigest()
    start = revisions if projects else revisions[OWN]
    return Selection(Sources(own, count), list(projects), token, start)
