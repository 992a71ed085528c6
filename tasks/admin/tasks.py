from functools import cached_property
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin
from django.contrib.admin.options import IncorrectLookupParameters
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from taskapi.api import time_zones
from tasks.admin import actions, search
from tasks.admin.errors import OperationForm
from tasks.admin.fields import LabelNamesField, UnstrippedCharField
from tasks.admin.history import NOBODY, UNKNOWN, TaskChangeInline, full_name
from tasks.admin.restore import RestorableModelAdmin
from tasks.models import ADMIN_INDEX_PREDICATE, LIVE, TRASHED, Project, Task
from tasks.operations import Create, Delete, Restore, Update, perform_one

LABELS_HELP = "Names, separated by commas."


class TaskForm(OperationForm):
    label_names = LabelNamesField(
        required=False, show_hidden_initial=True, label="Labels", help_text=LABELS_HELP
    )

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.initial.setdefault("label_names", self.instance.labels)

    def clean_time_zone(self) -> str | None:
        name: str = self.cleaned_data["time_zone"]
        try:
            return time_zones.parse(name).key if name else None
        except ValueError as error:
            raise forms.ValidationError(str(error)) from error


class TrashFilter(admin.SimpleListFilter):
    title = parameter_name = "trash"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [("no", "Not in the trash"), ("yes", "In the trash")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Task]
    ) -> QuerySet[Task]:
        chosen = {"no": LIVE, "yes": TRASHED}.get(self.value() or "")
        return queryset.filter(chosen) if chosen else queryset


class ProjectFilter(admin.SimpleListFilter):
    """Offers no choice: a project's page leads here."""

    title, parameter_name = "project", "project__id__exact"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        if self.value() is None:
            return []
        name = self.project.name if self.project else "a removed project"
        return [(str(self.value()), name)]

    @cached_property
    def project(self) -> Project | None:
        try:
            return Project.objects.filter(pk=UUID(self.value())).first()
        except ValueError:
            raise IncorrectLookupParameters from None

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Task]
    ) -> QuerySet[Task]:
        if self.value() is None:
            return queryset
        if self.project is None:
            return queryset.none()
        # The index of all tasks starts with the owner.
        return queryset.filter(project=self.project, user=self.project.owner_id)


@admin.register(Task)
class TaskAdmin(RestorableModelAdmin):
    """Writes through operations, as the API does: version, history and revision."""

    list_display = (
        "title",
        "user",
        "status",
        "priority",
        "due_at",
        "created_at",
        "project",
        "deleted_at",
    )
    list_filter = (
        ProjectFilter,
        "status",
        "priority",
        "due_at",
        "created_at",
        TrashFilter,
    )
    # The other columns have no index that does not start with the owner.
    sortable_by = ("created_at",)
    search_fields = ("title", "user__email")
    search_help_text = search.HELP
    autocomplete_fields = ("user",)
    form = TaskForm
    ordering = ("-created_at", "-id")
    readonly_fields = (
        "id",
        "project",
        "parent",
        "assignee",
        "recurrence",
        "completed_at",
        "version",
        "created_at",
        "updated_at",
        "deleted_at",
    )
    formfield_overrides = {
        models.CharField: {"form_class": UnstrippedCharField},
        models.TextField: {"form_class": UnstrippedCharField},
    }
    inlines = (TaskChangeInline,)
    actions = (
        actions.mark_done,
        actions.trash,
        actions.restore,
        actions.export_csv,
    )
    actions_on_any_number = ("export_csv",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        users: Any = get_user_model()._default_manager
        every = super().get_queryset(request).filter(ADMIN_INDEX_PREDICATE)
        shown: QuerySet[Task] = users.without_erased(every)
        return shown.prefetch_related("user", "project")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        return search.search_tasks(request, queryset, search_term), False

    def is_expensive(self, request: HttpRequest) -> bool:
        return search.is_filtered(request)

    def get_exclude(self, request: HttpRequest, obj: Task | None = None) -> list[str]:
        # They are checked against each other, which only the API does.
        return ["assignee_id", *([] if obj else ["parent", "project"])]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Task | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, "user") if obj else ()

    def has_change_permission(
        self, request: HttpRequest, obj: Task | None = None
    ) -> bool:
        # Deleted tasks are read-only until they are restored.
        is_live = obj is None or obj.deleted_at is None
        return is_live and super().has_change_permission(request, obj)

    has_delete_permission = has_change_permission

    def formfield_for_dbfield(self, db_field: Any, *args: Any, **options: Any) -> Any:
        if db_field.name == "title":
            options["widget"] = AdminTextInputWidget({"class": "vLargeTextField"})
        # A change is a difference from what the page showed, not from the database:
        # otherwise an old page would undo a later edit of the owner.
        return super().formfield_for_dbfield(
            db_field, *args, show_hidden_initial=True, **options
        )

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        offered = super().get_actions(request)
        offered.pop("delete_selected", None)  # "trash" is reversible
        return offered

    @admin.display(description="labels")
    def label_names(self, task: Task) -> str:
        """What the page of a deleted task shows in place of the field."""
        return task.labels.replace(",", ", ") or self.get_empty_value_display()

    @admin.display
    def assignee(self, task: Task) -> str:
        if task.assignee_id is None:
            return NOBODY
        users = get_user_model()._default_manager.filter(pk=task.assignee_id)
        user: Any = users.first()
        return full_name(user) if user else UNKNOWN["user"]

    def save_model(
        self, request: HttpRequest, obj: Task, form: forms.ModelForm, change: bool
    ) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        values.pop("user", None)
        if "label_names" in values:
            values["labels"] = values.pop("label_names")
        if change:
            perform_one(Update(values, obj.pk), actions.author_of(request, obj.user_id))
        else:
            author = actions.author_of(request, obj.user_id)
            obj.pk = perform_one(Create(values), author).pk

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        # Django's would list the history, which moving to the trash does not delete.
        titles = [str(task) for task in objs]
        return titles, {"tasks": len(titles)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        perform_one(Delete(id=obj.pk), actions.author_of(request, obj.user_id))

    def restore(self, request: HttpRequest, row: Task) -> None:
        perform_one(Restore(id=row.pk), actions.author_of(request, row.user_id))
