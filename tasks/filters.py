"""The only reader of the list's query parameters, and their only declaration.

A filter on another column is one more line in `TaskFilter`.
"""

from datetime import datetime
from typing import Any, NamedTuple, cast

import django_filters as filters
from django import forms
from django.db.models import CharField, DateTimeField, F, Q, QuerySet, TextField
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from taskapi.api import datetimes
from taskapi.api.openapi import ref
from taskapi.db.compiled import Placeholder
from taskapi.db.text import Contains, Fold, literal
from tasks.models import Priority, Status, Task, TaskQuerySet

SORTS = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "dueDate": "due_at",
    "priority": "priority",
    "title": "title",
}
SORT_NAMES = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]
DEFAULT_SORT = "-createdAt"
# Sorted without regard to case.
FOLDED_KEYS = {"title"}


class DateTimeFormField(forms.CharField):
    def clean(self, value: Any) -> Any:
        try:
            return datetimes.parse(value) if value else None
        except ValueError as error:
            # As a parameter, because the message is formatted once more.
            hint = {"hint": str(error)}
            raise forms.ValidationError("%(hint)s", "invalid", hint) from error


class CSVChoiceFormField(forms.CharField):
    """Comma-separated names out of a fixed set, converted to the values they name."""

    def __init__(self, *, names: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.names = names

    def clean(self, value: Any) -> list[Any]:
        given = value.split(",") if value else []
        if unknown := [name for name in given if name not in self.names]:
            # As parameters, because the message is formatted once more.
            params = {"name": unknown[0], "names": ", ".join(self.names)}
            hint = "%(name)r is not one of: %(names)s."
            raise forms.ValidationError(hint, "invalid_choice", params)
        return [self.names[name] for name in given]


class BoundFilter(filters.Filter):
    """A filter whose value is bound when the compiled query is executed.

    The values of other filters are part of the query's shape: they are few.
    """

    output_field: Any = CharField()


class DateTimeFilter(BoundFilter):
    field_class = DateTimeFormField
    output_field = DateTimeField()


class TextFilter(BoundFilter):
    field_class = forms.CharField
    output_field = TextField()


class CSVChoiceFilter(filters.BaseCSVFilter):
    base_field_class: Any = CSVChoiceFormField
    field_class = forms.Field


class OrderedChoiceFilter(CSVChoiceFilter):
    """For values that lists are sorted by, too: an index scan down such a list starts
    at the first of them and does not pass all that come before it.
    """

    def filter(self, qs: QuerySet[Task], value: list[Any]) -> QuerySet[Task]:
        found: QuerySet[Task] = super().filter(qs, value)
        if len(value) < 2:
            return found
        name = self.field_name
        return found.filter(**{f"{name}__gte": min(value), f"{name}__lte": max(value)})


class ChoiceFilter(filters.Filter):
    field_class = forms.ChoiceField


def with_schema(schema: dict[str, Any], chosen: filters.Filter) -> filters.Filter:
    """The filter with its OpenAPI schema."""
    return cast(filters.Filter, extend_schema_field(schema)(cast(Any, chosen)))


def datetime_filter(field: str, lookup: str, description: str) -> filters.Filter:
    chosen = DateTimeFilter(field_name=field, lookup_expr=lookup)
    schema = datetimes.SCHEMA | {"example": "2026-12-31T17:00:00Z"}
    return with_schema(schema | {"description": description}, chosen)


def csv_filter(
    field: str, values: dict[str, Any], kind: type[CSVChoiceFilter] = CSVChoiceFilter
) -> filters.Filter:
    """Its schema is that of one value, a component; drf-spectacular makes the array."""
    schema = ref("schemas", field.capitalize()) | {
        "description": "Any of these, separated by commas.",
        "example": [*values][:2],
    }
    chosen = kind(field_name=field, lookup_expr="in", names=values)
    return with_schema(schema, chosen)


def choice_filter(values: list[str], method: str, description: str) -> filters.Filter:
    schema = {"type": "string", "enum": values, "example": values[-1]}
    chosen = one_of(values, method)
    return with_schema(schema | {"description": description}, chosen)


def boolean_filter(method: str, description: str) -> filters.Filter:
    schema = {"type": "boolean", "example": True, "description": description}
    return with_schema(schema, one_of(["true", "false"], method))


def one_of(values: list[str], method: str) -> filters.Filter:
    choices = [(value, value) for value in values]
    hint = {"invalid_choice": f"Not one of: {', '.join(values)}."}
    return ChoiceFilter(choices=choices, method=method, error_messages=hint)


class TaskFilter(filters.FilterSet):
    """How a list can be filtered, searched and sorted."""

    status = csv_filter("status", {s.value: s.value for s in Status})
    priority = csv_filter(
        "priority", {p.name: p.value for p in Priority}, OrderedChoiceFilter
    )
    dueBefore = datetime_filter("due_at", "lt", "Due before this moment.")
    dueAfter = datetime_filter("due_at", "gt", "Due after this moment.")
    dueDate = choice_filter(
        ["none"], "without_due_date", "Only tasks without a due date."
    )
    overdue = boolean_filter(
        "only_overdue",
        "`true`: tasks that are due before now and not done; `false`: all others.",
    )
    q = with_schema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": r"^[^\x00]*$",
            "description": "Text in the title or the description, in any letter "
            "case and Unicode composition.",
            "example": "build",
        },
        TextFilter(method="search", max_length=255, strip=False),
    )
    sort = choice_filter(
        SORT_NAMES,
        "noop",
        "The sort key, with `-` for descending order. Equal tasks are sorted by id; "
        "tasks without a due date come last.",
    )

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(self, *args: Any, now: Any = None, **options: Any) -> None:
        super().__init__(*args, **options)
        self.now: datetime = now or timezone.now()

    def filter_queryset(self, queryset: QuerySet[Task]) -> QuerySet[Task]:
        filtered = super().filter_queryset(queryset)
        return ordered(filtered, self.form.cleaned_data["sort"] or DEFAULT_SORT)

    def without_due_date(
        self, tasks: TaskQuerySet, name: str, value: str
    ) -> TaskQuerySet:
        return tasks.filter(due_at=None)

    def only_overdue(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        is_true = value == "true"
        return tasks.overdue(self.now) if is_true else tasks.not_overdue(self.now)

    def search(
        self, tasks: TaskQuerySet, name: str, value: str | Placeholder
    ) -> TaskQuerySet:
        text = Fold(literal(value))
        in_title = Contains(Fold("title"), text)
        return tasks.filter(Q(in_title) | Q(Contains(Fold("description"), text)))

    def noop(self, tasks: TaskQuerySet, name: str, value: str) -> TaskQuerySet:
        return tasks


class Shape(NamedTuple):
    """Filters without their bound values, and a sort: what a query is compiled for."""

    filters: tuple[tuple[str, Any], ...]
    sort: str

    @property
    def key(self) -> str:
        return SORTS[self.sort.removeprefix("-")]

    @property
    def descending(self) -> bool:
        return self.sort.startswith("-")

    def without(self, name: str) -> "Shape":
        return Shape(tuple(each for each in self.filters if each[0] != name), self.sort)

    def only(self, name: str) -> "Shape":
        return Shape(tuple(each for each in self.filters if each[0] == name), self.sort)

    def apply(self, tasks: Any, now: Any) -> Any:
        """The filtered and ordered tasks, with placeholders for the bound values."""
        declared = TaskFilter(queryset=tasks, now=now).filters
        for name, value in self.filters:
            chosen = declared[name]
            if isinstance(chosen, BoundFilter):
                value = Placeholder(name, chosen.output_field)
            tasks = chosen.filter(tasks, list(value) if type(value) is tuple else value)
        return ordered(tasks, self.sort)


def parse_filters(sent: dict[str, str]) -> tuple[Shape, dict[str, Any]]:
    """The shape of these parameters and the values to bind; ValidationError."""
    parsed = TaskFilter(sent)
    if not parsed.is_valid():
        raise cast(ValidationError, translate_validation(parsed.errors))
    cleaned = parsed.form.cleaned_data
    sort = cleaned.pop("sort") or DEFAULT_SORT
    given = {name: value for name, value in sorted(cleaned.items()) if name in sent}
    bound = {
        name: value
        for name, value in given.items()
        if isinstance(TaskFilter.base_filters[name], BoundFilter)
    }
    shape = [
        (name, None if name in bound else as_shape(value))
        for name, value in given.items()
    ]
    return Shape(tuple(shape), sort), bound


def as_shape(value: Any) -> Any:
    return tuple(sorted(set(value))) if isinstance(value, list) else value


def ordered(tasks: QuerySet[Task], sort: str) -> QuerySet[Task]:
    """By one key, nulls last both ways, then by id: equal rows have one order."""
    name = SORTS[sort.removeprefix("-")]
    key = Fold(name) if name in FOLDED_KEYS else F(name)
    nullable: Any = {"nulls_last": True} if name == "due_at" else {}
    if sort.startswith("-"):
        return tasks.order_by(key.desc(**nullable), "-id")
    return tasks.order_by(key.asc(**nullable), "id")
