"""Which tasks a list is made of: those of the caller's own space, and of projects.

The own tasks are read by the indexes of their owner, and the first ones of each project
by those of the project, however many there are, with one statement for any number.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from types import SimpleNamespace
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import (
    JSONField,
    OuterRef,
    PositiveBigIntegerField,
    Q,
    QuerySet,
    UUIDField,
)
from django.db.models.expressions import RawSQL

from taskapi.api.pagination import sort_key
from taskapi.db.compiled import CompiledQuery, Placeholder, SQLFragment
from tasks import access
from tasks.access import ProjectAccess, Share
from tasks.filters import EVERYTHING, Where
from tasks.models import HIDDEN_PROJECT, Project, Role, Task, TaskQuerySet

PRINCIPAL = SimpleNamespace(
    pk=Placeholder("user", UUIDField()), reads_projects=False, project_ids=None
)
OWN = "own"
# A list of {"id", "owner_id", "revision"}, whose revision is the space's.
PROJECTS = Placeholder("projects", JSONField())
# The tasks of a project have an index in its order.
INDEXED_KEY = "created_at"


class Source:
    """Tasks of the principal's own space; `kind` says which (see `Sources`)."""

    is_own = True
    owner: Any = PRINCIPAL.pk
    revision: Any = Placeholder("revision", PositiveBigIntegerField())

    def __init__(self, kind: str) -> None:
        # Of the tasks, or of what else has a project.
        self.place = own_place(kind, PRINCIPAL)
        self.tasks = access.own_tasks(PRINCIPAL).filter(self.place)

    def compile(self, rows: QuerySet[Any, Any], suffix: SQLFragment) -> CompiledQuery:
        """The query of a `values_list()` of the tasks."""
        return CompiledQuery.compile(rows, suffix)

    def compile_deep(
        self, rows: QuerySet[Any, Any], suffix: SQLFragment
    ) -> CompiledQuery:
        """The same for ordered rows, of which the suffix may want thousands."""
        return self.compile(rows, suffix)


class ProjectsSource(Source):
    """Tasks of PROJECTS, an order and a limit being those of each project; in the SQL,
    `p` is the project.

    A deep list reads no more of a project than it needs: the first keys of each tell
    by which key there are as many rows as are wanted.
    """

    is_own = False
    owner = RawSQL("p.owner_id", [], UUIDField())
    revision = RawSQL("p.revision", [], PositiveBigIntegerField())

    def __init__(self) -> None:
        self.place = Q(project_id=RawSQL("p.id", [], UUIDField()))
        self.tasks = Task.objects.filter(self.place)

    def compile(self, rows: QuerySet[Any, Any], suffix: SQLFragment) -> CompiledQuery:
        sql, params = super().compile(rows, suffix).fragment
        columns = "id uuid, owner_id uuid, revision bigint"
        projects = f"jsonb_to_recordset(%s) p({columns})"
        sql = f"SELECT z.* FROM {projects} CROSS JOIN LATERAL ({sql}) z"  # noqa: S608
        return CompiledQuery((sql, [PROJECTS, *params]))

    def compile_deep(
        self, rows: QuerySet[Any, Any], suffix: SQLFragment
    ) -> CompiledQuery:
        key, is_descending = sort_key(rows)
        if key != INDEXED_KEY:
            return self.compile(rows, suffix)
        cutoff, params = self.cutoff(rows, suffix, is_descending)
        lookup = f"{key}__{'gte' if is_descending else 'lte'}"
        within: Any = {lookup: RawSQL("SELECT key FROM cutoff", [])}
        sql, others = self.compile(rows.filter(**within), suffix).fragment
        sql = f"WITH cutoff(key) AS MATERIALIZED ({cutoff}) {sql}"
        return CompiledQuery((sql, [*params, *others]))

    def cutoff(
        self, rows: QuerySet[Any, Any], suffix: SQLFragment, is_descending: bool
    ) -> SQLFragment:
        """A key by which there are at least as many rows as the suffix limits to; the
        last possible one where the first keys of each project are not as many.
        """
        [limit] = suffix[1]
        share = " LIMIT 4 * %s / greatest(1, jsonb_array_length(%s)) + 1"
        keys = self.compile(rows.values_list(INDEXED_KEY), (share, [limit, PROJECTS]))
        sql, params = keys.fragment
        order, end = ("DESC", "-infinity") if is_descending else ("ASC", "infinity")
        last = f"SELECT * FROM ({sql}) k ORDER BY 1 {order} OFFSET %s - 1 LIMIT 1"  # noqa: S608
        return f"SELECT coalesce(({last}), '{end}')", [*params, limit]


class SQLiteProjectsSource(Source):
    """The same where LATERAL is unknown: to all projects together."""

    is_own = False
    owner = OuterRef("project__owner_id")

    def __init__(self) -> None:
        ids = "SELECT json_extract(value, '$.id') FROM json_each(%s)"
        revision = """
            SELECT json_extract(value, '$.revision') FROM json_each(%s)
            WHERE json_extract(value, '$.id') = tasks_task.project_id
        """
        self.revision = RawSQL(revision, [PROJECTS], PositiveBigIntegerField())  # noqa: S611
        self.place = Q(project_id__in=RawSQL(ids, [PROJECTS], UUIDField()))  # noqa: S611
        self.tasks = Task.objects.filter(self.place)


class Sources(NamedTuple):
    """`own`: whether, and which tasks of the own space: "", "all" (none is hidden),
    "active" or "archived"; `has_projects`: whether there are projects besides.
    """

    own: str = "all"
    has_projects: bool = False

    def each(self) -> list[Source]:
        found = [Source(self.own)] if self.own else []
        if self.has_projects:
            is_sqlite = connection.vendor == "sqlite"
            found.append(SQLiteProjectsSource() if is_sqlite else ProjectsSource())
        return found


NOWHERE = Sources("", has_projects=False)


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
    projects: Sequence[Share | ProjectAccess] = ()
    # Of everything that decides what the list shows.
    state: str = ""
    # What a cursor holds: the own revision, or several, by project and OWN.
    start: Any = None

    def tasks(self, principal: Any) -> TaskQuerySet:
        """All of them as one queryset, which is not compiled."""
        found = Task.objects.filter(project__in=[each.id for each in self.projects])
        if not self.sources.own:
            return found
        place = own_place(self.sources.own, principal)
        return found | access.own_tasks(principal).filter(place)

    def values(self, start: Any) -> dict[str, Any]:
        """To bind; `start` are the revisions at the start of a walk, if it is one."""
        revisions = start if isinstance(start, dict) else {OWN: start}
        # What was not yet part of the walk at its start is not in it.
        known = [p for p in self.projects if not start or str(p.id) in revisions]
        found = [
            {
                "id": each.id.hex,
                "owner_id": each.owner_id.hex,
                "revision": revisions.get(str(each.id), 0),
            }
            for each in known
        ]
        return {"revision": revisions.get(OWN) or 0, "projects": found}


def select(principal: Any, where: Where) -> Selection:
    """ValidationError for what does not exist; ProjectForbidden, PersonForbidden,
    TaskForbidden.
    """
    if where == EVERYTHING and not principal.reads_projects:
        revision = principal.revision
        return Selection(state=str(revision), start=revision)
    for name, ids in where.people:
        access.require_people(principal, name, ids)
    access.require_parents(principal, where.parents)
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
    return make_selection(own, shares, revisions, state)


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
    return make_selection("", found, revisions, state)


def shared_among(principal: Any, accesses: Any) -> list[Share]:
    is_shared = any(each.owner_id != principal.pk for each in accesses)
    return access.get_shares(principal.pk) if is_shared else []


def require_project(accesses: dict[UUID, ProjectAccess], pk: UUID) -> ProjectAccess:
    found = accesses.get(pk)
    if found is None or (found.is_deleted and found.role):
        raise access.no_such("project", "project", pk)
    found.require(Role.VIEWER)
    return found


def readable(accesses: dict[UUID, ProjectAccess], pk: UUID) -> ProjectAccess | None:
    """None for a project that is in the trash or no longer shared."""
    found = accesses.get(pk)
    return found if found and found.role and not found.is_deleted else None


def make_selection(
    own: str,
    projects: Sequence[Share | ProjectAccess],
    revisions: dict[str, int],
    state: Any,
) -> Selection:
    token = str(revisions[OWN])
    if state or own != "all":
        text = f"{token} {own} {state}".encode()
        # Numbers of others' revisions would tell of what they do elsewhere.
        token = blake2b(text, digest_size=12).hexdigest()
    start = revisions if projects else revisions[OWN]
    return Selection(Sources(own, bool(projects)), projects, token, start)
