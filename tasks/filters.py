"""The only reader of the list's query parameters, and their only declaration.

A filter on another column is one more line in `TaskFilter`.
"""

import re
from datetime import datetime
from typing import Any, NamedTuple, cast
from uuid import UUID
from zoneinfo import ZoneInfo

import django_filters as filters
from django import forms
from django.db.models import (
    CharField,
    DateTimeField,
    Exists,
    F,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    TextField,
    UUIDField,
)
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.utils import extend_schema_field
from rest_framework.exceptions import ValidationError

from taskapi.api import datetimes, time_zones
from taskapi.api.openapi import EXAMPLE_ID, ref
from taskapi.db.compiled import Placeholder
from taskapi.db.text import Contains, Fold, literal
from tasks.models import (
    Label,
    Priority,
    Status,
    Task,
    TaskLabel,
    TaskQuerySet,
    label_key,
)

SORTS = {
    "createdAt": "created_at",
    "updatedAt": "updated_at",
    "dueDate": "due_at",
    "startDate": "start_at",
    "completedAt": "completed_at",
    "priority": "priority",
    "title": "title",
    "position": "position",
}
NULLABLE_KEYS = {"due_at", "start_at", "completed_at"}
SORT_NAMES = [f"{sign}{name}" for name in SORTS for sign in ("", "-")]
DEFAULT_SORT = "-createdAt"
MAX_IDS, MAX_NAME = 50, 50
DUE_DAYS = {"today": 1, "week": 7}
DUE_FROM = Placeholder("due_from", DateTimeField())
DUE_UNTIL = Placeholder("due_until", DateTimeField())
# What a label's tasks are sorted by: their time and id, in the index of the label.
LABEL_KEY = ("labelled_time", "labelled_task")
# In a shape: the one value is bound.
ONE: tuple[Any, ...] = (None,)
ID = re.compile("[0-9a-fA-F]{8}-(?:[0-9a-fA-F]{4}-){3}[0-9a-fA-F]{12}")
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


class CSVIdFormField(forms.CharField):
    """Comma-separated ids; with `words`, these as well."""

    def __init__(self, *, words: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.words = words

    def clean(self, value: Any) -> list[Any]:
        given = value.split(",") if value else []
        if len(given) > MAX_IDS:
            raise forms.ValidationError(f"At most {MAX_IDS} ids.", "max_length")
        return [each if each in self.words else self.to_id(each) for each in given]

    def to_id(self, text: str) -> UUID:
        if not ID.fullmatch(text):
            accepted = ", ".join(["ids", *self.words])
            hint = {"hint": f"Not a comma-separated list of {accepted}."}
            raise forms.ValidationError("%(hint)s", "invalid", hint)
        return UUID(text)


class LabelKeysFormField(forms.CharField):
    """The keys of comma-separated names of labels."""

    def clean(self, value: Any) -> list[str]:
        given = value.split(",") if value else []
        if len(given) > MAX_IDS:
            raise forms.ValidationError(f"At most {MAX_IDS} names.", "max_length")
        if "\0" in (value or ""):
            hint = "Null characters are not allowed."
            raise forms.ValidationError(hint, "null_characters_not_allowed")
        if any(not 0 < len(name) <= MAX_NAME for name in given):
            hint = f"Names have 1 to {MAX_NAME} characters."
            raise forms.ValidationError(hint, "invalid")
        return [label_key(name) for name in given]


class TimeZoneFormField(forms.CharField):
    def clean(self, value: Any) -> ZoneInfo:
        try:
            return time_zones.parse(value or "UTC")
        except ValueError as error:
            raise forms.ValidationError(str(error), "invalid") from error


class BoundFilter(filters.Filter):
    """A filter whose value is bound when the compiled query is executed.

    The values of other filters are part of the query's shape: they are few. So are
    several values of a OneBoundFilter, and those that are no values but `words`.
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


class OneBoundFilter(filters.BaseCSVFilter):
    """A list of values; one alone is bound as that of a BoundFilter."""

    field_class = forms.Field
    output_field: Any
    words: tuple[str, ...] = ()

    def is_bound(self, value: list[Any]) -> bool:
        return len({*value}) == 1 and value[0] not in self.words


class CSVIdFilter(OneBoundFilter):
    base_field_class: Any = CSVIdFormField
    output_field = UUIDField()

    def __init__(self, *args: Any, words: tuple[str, ...] = (), **kwargs: Any) -> None:
        super().__init__(*args, words=words, **kwargs)
        self.words = words


class LabelKeysFilter(OneBoundFilter):
    base_field_class: Any = LabelKeysFormField
    output_field = TextField()


class TimeZoneFilter(filters.Filter):
    field_class = TimeZoneFormField


class ChoiceFilter(filters.Filter):
    field_class = forms.ChoiceField


class BoundChoiceFilter(BoundFilter):
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


def choice_filter(
    values: list[str],
    method: str,
    description: str,
    kind: type[filters.Filter] = ChoiceFilter,
) -> filters.Filter:
    schema = {"type": "string", "enum": values, "example": values[-1]}
    chosen = one_of(values, method, kind)
    return with_schema(schema | {"description": description}, chosen)


def text_filter(place: str, max_length: int, example: str) -> filters.Filter:
    """A search by the method `search` of the filter set."""
    schema = {
        "type": "string",
        "minLength": 1,
        "maxLength": max_length,
        "pattern": r"^[^\x00]*$",
        "description": f"Text in {place}, in any letter case and Unicode composition.",
        "example": example,
    }
    chosen = TextFilter(method="search", max_length=max_length, strip=False)
    return with_schema(schema, chosen)


def boolean_filter(method: str, description: str) -> filters.Filter:
    schema = {"type": "boolean", "example": True, "description": description}
    return with_schema(schema, one_of(["true", "false"], method))


def id_filter(name: str, method: str, description: str, *words: str) -> filters.Filter:
    # No format: Swagger UI looks for a component of such items.
    accepted = "|".join([*words, ID.pattern])
    schema: dict[str, Any] = {
        "type": "string",
        "pattern": f"^({accepted})$",
        "description": f"{description} Several by comma: any of these.",
        "example": [words[0] if words else EXAMPLE_ID],
    }
    chosen = CSVIdFilter(field_name=name, method=method, words=words)
    return with_schema(schema, chosen)


def one_of(
    values: list[str], method: str, kind: type[filters.Filter] = ChoiceFilter
) -> filters.Filter:
    choices = [(value, value) for value in values]
    hint = {"invalid_choice": f"Not one of: {', '.join(values)}."}
    return kind(choices=choices, method=method, error_messages=hint)


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
    due = choice_filter(
        [*DUE_DAYS],
        "within_days",
        "Due today, or today and on the next six days, in the `timezone`; done or not.",
        BoundChoiceFilter,
    )
    timezone = with_schema(time_zones.SCHEMA, TimeZoneFilter(method="noop"))
    overdue = boolean_filter(
        "only_overdue",
        "`true`: tasks that are due before now and not done; `false`: all others.",
    )
    createdBefore = datetime_filter("created_at", "lt", "Made before this moment.")
    createdAfter = datetime_filter("created_at", "gt", "Made after this moment.")
    updatedBefore = datetime_filter("updated_at", "lt", "Changed before this moment.")
    updatedAfter = datetime_filter("updated_at", "gt", "Changed after this moment.")
    completedBefore = datetime_filter("completed_at", "lt", "Done before this moment.")
    completedAfter = datetime_filter("completed_at", "gt", "Done after this moment.")
    project = id_filter("project", "in_projects", "Tasks of this project.")
    parent = id_filter(
        "parent", "by_id", "Subtasks of this task; `none`: those of no task.", "none"
    )
    assignee = id_filter(
        "assignee_id",
        "by_id",
        "Assigned to this account, `me` or `none`.",
        "me",
        "none",
    )
    createdBy = id_filter(
        "created_by_id", "by_id", "Made by this account, or by `me`.", "me"
    )
    label = with_schema(
        {
            "type": "string",
            "minLength": 1,
            "maxLength": MAX_NAME,
            "pattern": r"^[^\x00,]*$",
            "example": ["garden"],
            "description": "With this label, in any letter case. Several by comma: "
            "with any of these.",
        },
        LabelKeysFilter(method="with_labels"),
    )
    archived = choice_filter(
        ["true", "false", "all"],
        "noop",
        "Whether tasks of archived projects are listed: only these, none (if no "
        "`project` is given), or all.",
    )
    scope = choice_filter(
        ["own", "shared", "all"],
        "noop",
        "Tasks of the caller's own projects, of others' projects, or all.",
    )
    q = text_filter("the title or the description", 255, "build")
    sort = choice_filter(
        SORT_NAMES,
        "noop",
        "The sort key, with `-` for descending order. Equal tasks are sorted by id; "
        "tasks without a due date come last.",
    )

    class Meta:
        model = Task
        fields: list[str] = []

    def __init__(
        self,
        *args: Any,
        now: Any = None,
        owner: Any = None,
        is_own: bool = False,
        **options: Any,
    ) -> None:
        """`owner` is that of all tasks, if it is one; `is_own`: the principal is it."""
        super().__init__(*args, **options)
        self.owner, self.is_own = owner, is_own
        self.now: datetime = now or timezone.now()
        request: Any = self.request
        # Of a compiled query it is bound later.
        self.principal_id = (
            request.user.pk if request else Placeholder("user", UUIDField())
        )

    def filter_queryset(self, queryset: QuerySet[Task]) -> QuerySet[Task]:
        filtered = super().filter_queryset(queryset)
        return ordered(filtered, self.form.cleaned_data["sort"] or DEFAULT_SORT)

    def in_projects(
        self, tasks: TaskQuerySet, name: str, value: list[UUID]
    ) -> TaskQuerySet:
        return tasks.filter(project__in=value) if value else tasks

    def by_id(self, tasks: TaskQuerySet, name: str, value: list[Any]) -> TaskQuerySet:
        if not value:
            return tasks
        if self.is_own and name == "created_by_id" and "me" not in value:
            # So that the index of these is used.
            tasks = tasks.filter(~Q(created_by_id=F("user_id")))
        ids = [self.principal_id if each == "me" else each for each in value]
        found = Q(**{f"{name}__in": [each for each in ids if each != "none"]})
        if value == ["none"]:
            found = Q(**{f"{name}__isnull": True})
        elif "none" in value:
            found |= Q(**{f"{name}__isnull": True})
        elif len(ids) == 1:
            found = Q(**{name: ids[0]})
        return tasks.filter(found)

    def with_labels(
        self, tasks: TaskQuerySet, name: str, value: list[str]
    ) -> TaskQuerySet:
        if not value:
            return tasks
        labelled = TaskLabel.objects.filter(task=OuterRef("pk"))
        if self.owner is None:
            labelled = labelled.filter(
                label__key__in=value, label__owner_id=OuterRef("user_id")
            )
        elif len(value) == 1:
            return self.with_label(tasks, value[0])
        else:
            # Of the project, too: others may have as many labels of these names.
            labels = labels_of(self.owner, value)
            labelled = labelled.filter(label__in=labels, project=OuterRef("project"))
        return tasks.filter(Exists(labelled))

    def with_label(self, tasks: TaskQuerySet, key: Any) -> TaskQuerySet:
        """By a join, to be sorted by the index of the label's tasks."""
        labelled = tasks.filter(
            task_labels__label=Subquery(labels_of(self.owner, [key])),
            task_labels__project=F("project"),
            task_labels__project__isnull=False,
        )
        time, task = LABEL_KEY
        return labelled.alias(
            **{time: F("task_labels__task_created_at"), task: F("task_labels__task_id")}
        )

    def within_days(
        self, tasks: TaskQuerySet, name: str, value: str | Placeholder
    ) -> TaskQuerySet:
        if isinstance(value, Placeholder):
            return tasks.filter(due_at__gte=DUE_FROM, due_at__lt=DUE_UNTIL)
        zone = self.form.cleaned_data["timezone"]
        start, end = time_zones.days_from(self.now, zone, DUE_DAYS[value])
        return tasks.filter(due_at__gte=start, due_at__lt=end)

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


def labels_of(owner_id: Any, keys: list[Any]) -> QuerySet[Label, Any]:
    return Label.objects.filter(owner_id=owner_id, key__in=keys).values("pk")


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

    @property
    def is_by_label(self) -> bool:
        """Whether the index of a label's tasks has the order."""
        return ("label", ONE) in self.filters and self.key == "created_at"

    def apply(
        self, tasks: Any, now: Any, owner: Any = None, is_own: bool = False
    ) -> Any:
        """The filtered and ordered tasks, with placeholders for the bound values."""
        declared = TaskFilter(
            queryset=tasks, now=now, owner=owner, is_own=is_own
        ).filters
        for name, value in self.filters:
            chosen: Any = declared[name]
            if isinstance(chosen, BoundFilter):
                value = Placeholder(name, chosen.output_field)
            if value == ONE:
                value = [Placeholder(name, chosen.output_field)]
            tasks = chosen.filter(tasks, list(value) if type(value) is tuple else value)
        if self.is_by_label and owner is not None:
            sign = "-" if self.descending else ""
            return tasks.order_by(*(f"{sign}{name}" for name in LABEL_KEY))
        return ordered(tasks, self.sort)


class Where(NamedTuple):
    """Which projects a list looks at, and what its filters name by id."""

    projects: tuple[UUID, ...] = ()
    archived: str = "false"
    is_archived_given: bool = False
    scope: str = "all"
    people: tuple[tuple[str, tuple[UUID, ...]], ...] = ()
    parents: tuple[UUID, ...] = ()


EVERYTHING = Where()
BY_ACCOUNT = ("assignee", "createdBy")


def parse_filters(sent: dict[str, str]) -> tuple[Shape, dict[str, Any], Where]:
    """The shape of these parameters, the values to bind, and the projects;
    ValidationError.
    """
    parsed = TaskFilter(sent)
    if not parsed.is_valid():
        raise cast(ValidationError, translate_validation(parsed.errors))
    cleaned = parsed.form.cleaned_data
    sort = cleaned.pop("sort") or DEFAULT_SORT
    archived, scope = cleaned.pop("archived"), cleaned.pop("scope")
    where = Where(
        tuple(sorted(set(cleaned.pop("project")))),
        archived or "false",
        bool(archived),
        scope or "all",
        tuple(
            (k, ids) for k in BY_ACCOUNT if k in sent and (ids := ids_of(cleaned[k]))
        ),
        ids_of(cleaned["parent"]) if "parent" in sent else (),
    )
    zone = cleaned.pop("timezone")
    given = {name: value for name, value in sorted(cleaned.items()) if name in sent}
    bound, shape = {}, []
    for name, value in given.items():
        as_given, to_bind = split(TaskFilter.base_filters[name], value)
        shape.append((name, as_given))
        if to_bind is not None:
            bound[name] = to_bind
    if "due" in bound:
        bound["timezone"] = zone
    return Shape(tuple(shape), sort), bound, where


def ids_of(value: list[Any]) -> tuple[UUID, ...]:
    """Without words such as `none`."""
    return tuple(each for each in value if isinstance(each, UUID))


def split(chosen: filters.Filter, value: Any) -> tuple[Any, Any]:
    """What of a filter's value is part of the shape, and what is bound."""
    if isinstance(chosen, BoundFilter):
        return None, value
    if isinstance(chosen, OneBoundFilter) and chosen.is_bound(value):
        return ONE, value[0]
    return as_shape(value), None


def due_days(values: dict[str, Any], now: datetime) -> dict[str, datetime]:
    """What is bound for `due`, which changes with time."""
    days = DUE_DAYS[values["due"]]
    start, end = time_zones.days_from(now, values["timezone"], days)
    return {"due_from": start, "due_until": end}


def as_shape(value: Any) -> Any:
    return tuple(sorted(set(value), key=str)) if isinstance(value, list) else value


def ordered(tasks: QuerySet[Task], sort: str) -> QuerySet[Task]:
    """By one key, nulls last both ways, then by id: equal rows have one order."""
    name = SORTS[sort.removeprefix("-")]
    key = Fold(name) if name in FOLDED_KEYS else F(name)
    nullable: Any = {"nulls_last": True} if name in NULLABLE_KEYS else {}
    if sort.startswith("-"):
        return tasks.order_by(key.desc(**nullable), "-id")
    return tasks.order_by(key.asc(**nullable), "id")
