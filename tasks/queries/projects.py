"""Lists of projects: the caller's own and those that are shared with the caller."""

from typing import Any, cast

import django_filters as filters
from django.db.models import F, Q, QuerySet
from django_filters.utils import translate_validation
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from taskapi.api.openapi import ref
from taskapi.api.pagination import IMMUTABLE_KEYS, KeysetPagination
from taskapi.db.text import Contains, Fold, literal
from tasks import access
from tasks.access import Share
from tasks.filters import CSVChoiceFilter, choice_filter, text_filter, with_schema
from tasks.models import Project, Role

SORTS = {
    "position": "position",
    "name": "name",
    "createdAt": "created_at",
    "updatedAt": "updated_at",
}
SORT_NAMES = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]
DEFAULT_SORT = "position"
OWN = "own"


class ProjectFilter(filters.FilterSet):
    """How the list of projects can be filtered, searched and sorted."""

    role = with_schema(
        ref("schemas", "ProjectRole")
        | {
            "description": "The caller's role: any of these, separated by commas.",
            "example": ["OWNER", "MANAGER"],
        },
        CSVChoiceFilter(method="noop", names={role.name: role for role in Role}),
    )
    archived = choice_filter(
        ["true", "false", "all"],
        "by_archive",
        "Whether archived projects are listed: only these, none (unless it is sent), "
        "or all.",
    )
    q = text_filter("the name or the description", 255, "garden")
    sort = choice_filter(
        SORT_NAMES,
        "noop",
        "The sort key, with `-` for descending order. Equal projects are sorted by id.",
    )

    class Meta:
        model = Project
        fields: list[str] = []

    def by_archive(
        self, projects: QuerySet[Project], name: str, value: str
    ) -> QuerySet[Project]:
        if value == "all":
            return projects
        return projects.filter(archived_at__isnull=value != "true")

    def search(
        self, projects: QuerySet[Project], name: str, value: str
    ) -> QuerySet[Project]:
        text = Fold(literal(value))
        in_name = Contains(Fold("name"), text)
        return projects.filter(Q(in_name) | Q(Contains(Fold("description"), text)))

    def noop(
        self, projects: QuerySet[Project], name: str, value: Any
    ) -> QuerySet[Project]:
        return projects


class ProjectPagination(KeysetPagination):
    """Its cursors hold the revision of each space whose projects are listed."""

    shares: list[Share]

    def get_start(self, request: Request) -> Any:
        user: Any = request.user
        return {OWN: user.revision, **{str(s.id): s.revision for s in self.shares}}

    def not_modified_since(self, queryset: Any, start: Any) -> Any:
        if self.key in IMMUTABLE_KEYS:
            return queryset
        found = Q(owner_id=self.user_id, revision__lte=start[OWN])
        for share in self.shares:
            # What was not yet shared at the start of the walk is not part of it.
            if (revision := start.get(str(share.id))) is not None:
                found |= Q(pk=share.id, revision__lte=revision)
        return queryset.filter(found)


def select_projects(
    principal: Any, sent: dict[str, str]
) -> tuple[QuerySet[Project], list[Share]]:
    """The projects that a query string asks for, and those of others among them;
    ValidationError.
    """
    parsed = ProjectFilter(sent, Project.objects.live())
    if not parsed.is_valid():
        raise cast(ValidationError, translate_validation(parsed.errors))
    roles = set(parsed.form.cleaned_data["role"]) or set(Role)
    shares = [s for s in access.get_shares_of(principal) if s.role in roles]
    projects = access.projects_visible_to(principal, shares, own=Role.OWNER in roles)
    found = parsed.filter_queryset(projects)
    if "archived" not in sent:
        found = found.filter(archived_at=None)
    return ordered(found, parsed.form.cleaned_data["sort"] or DEFAULT_SORT), shares


def ordered(projects: QuerySet[Project], sort: str) -> QuerySet[Project]:
    sign = "-" if sort.startswith("-") else ""
    key = SORTS[sort.removeprefix("-")]
    by: Any = Fold(key) if key == "name" else F(key)
    return projects.order_by(by.desc() if sign else by.asc(), f"{sign}id")
