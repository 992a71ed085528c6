"""The only reader of the list's query parameters, and their only declaration."""

from datetime import datetime
from typing import Any, cast

import django_filters as filters
from django import forms
from django.db.models import F, Q, QuerySet
from django.utils import timezone
from drf_spectacular.utils import extend_schema_field

from taskapi.api import datetimes
from tasks.models import Priority, Status, Task, TaskQuerySet

SORTS = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "dueDate": "due_at",
    "priority": "priority",
    "title": "title",
}
SORT_NAMES = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]


class InstantFormField(forms.CharField):
    def clean(self, value: Any) -> Any:
        try:
            return datetimes.parse(value) if value else None
        except ValueError as error:
            raise forms.ValidationError(str(error), "invalid") from error


class NamesFormField(forms.CharField):
    """Comma-separated names out of a fixed set, to the values they stand for."""

    def __init__(self, *, names: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def clean(self, value: Any) -> list[Any]:
        given = value.split(",") if value else []
        if unknown := [name for name in given if name not in self.names]:
            # As parameters: whoever shows the message formats it once more.
            about = {"name": unknown[0], "names": ", ".join(self.names)}
            hint = "%(name)r is not one of: %(names)s."
            raise forms.ValidationError(hint, "invalid_choice", about)
        return [self.names[name] for name in given]


class InstantFilter(filters.Filter):
    field_class = InstantFormField


class NamesFilter(filters.Filter):
    field_class = NamesFormField


class SpanFilter(NamesFilter):
    """Of values that lists are sorted by, too: where the first of these is, a walk
    down such a list can start, and need not pass all that come before it.
    """

    def filter(self, qs: QuerySet[Task], value: list[Any]) -> QuerySet[Task]:
        found: QuerySet[Task] = super().filter(qs, value)
        if len(value) < 2:
            return found
        name = self.field_name
        return found.filter(**{f"{name}__gte": min(value), f"{name}__lte": max(value)})


class OneOfFilter(filters.Filter):
    field_class = forms.ChoiceField


def described(schema: dict[str, Any], chosen: filters.Filter) -> filters.Filter:
    """The filter, with its schema in the OpenAPI document."""
    return cast(filters.Filter, extend_schema_field(schema)(cast(Any, chosen)))


def instant(lookup: str, description: str) -> filters.Filter:
    chosen = InstantFilter(field_name="due_at", lookup_expr=lookup)
    return described(datetimes.SCHEMA | {"description": description}, chosen)


def names(
    field: str, values: dict[str, Any], kind: type[NamesFilter] = NamesFilter
) -> filters.Filter:
    one = "|".join(values)
    schema = {
        "type": "string",
        "pattern": f"^({one})(,({one}))*$",
        "description": "Any of these, separated by commas.",
    }
    chosen = kind(field_name=field, lookup_expr="in", names=values)
    return described(schema, chosen)


def one_of(values: list[str], method: str, description: str) -> filters.Filter:
    choices = [(value, value) for value in values]
    hint = {"invalid_choice": f"Not one of: {', '.join(values)}."}
    chosen = OneOfFilter(choices=choices, method=method, error_messages=hint)
    schema = {"type": "string", "enum": values, "description": description}
    return described(schema, chosen)


class TaskFilter(filters.FilterSet):
    """What a list can be narrowed to, searched for and sorted by."""

    status = names("status", {s.value: s.value for s in Status})
    priority = names("priority", {p.name: p.value for p in Priority}, SpanFilter)
    dueBefore = instant("lt", "Due before this moment.")
    dueAfter = instant("gt", "Due after this moment.")
    dueDate = one_of(["none"], "without_due_date", "Only tasks without a due date.")
    overdue = one_of(
        ["true", "false"],
        "only_overdue",
        "`true`: tasks that are due before now and not done; `false`: all others.",
    )
    q = described(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r"^[^\x00]*$",
            "description": "Text in the title or the description, in any letter case.",
        },
        filters.CharFilter(method="search", max_length=255, strip=False),
    )
    sort = one_of(
        SORT_NAMES,
        "unsorted",
        "The sort key, with `-` for descending order. Equal tasks are sorted by id; "
        "tasks without a due date come last.",
    )

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(self, *args: Any, now: datetime | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.now = now or timezone.now()

    def filter_queryset(self, queryset: QuerySet[Task]) -> QuerySet[Task]:
        sort = self.form.cleaned_data["sort"] or "-createdAt"
        return ordered(super().filter_queryset(queryset), sort)

    def without_due_date(
        self, tasks: TaskQuerySet, name: str, value: str
    ) -> TaskQuerySet:
        return tasks.filter(due_at=None)

    def only_overdue(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        is_true = value == "true"
        return tasks.overdue(self.now) if is_true else tasks.not_overdue(self.now)

    def search(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return tasks.filter(Q(title__icontains=value) | Q(description__icontains=value))

    def unsorted(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return tasks


def ordered(tasks: QuerySet[Task], sort: str) -> QuerySet[Task]:
    """By one key, nulls last both ways, then by id: equal rows have one order."""
    name = SORTS[sort.removeprefix("-")]
    key = F(name)
    nullable: Any = {"nulls_last": True} if name == "due_at" else {}
    if sort.startswith("-"):
        return tasks.order_by(key.desc(**nullable), "-id")
    return tasks.order_by(key.asc(**nullable), "id")
