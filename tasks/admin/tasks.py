from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.admin.widgets import AdminTextInputWidget
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest

from tasks.admin import actions, search
from tasks.admin.errors import OperationModelAdmin
from tasks.admin.fields import UnstrippedCharField
from tasks.models import ADMIN_INDEX_PREDICATE, LIVE, TRASHED, Task, TaskChange
from tasks.operations import Create, Delete, Update, perform_one

MAX_CHANGES = 50


class ChangeInline(admin.TabularInline):
    """The newest changes of a task."""

    model = TaskChange
    verbose_name_plural = f"Changes, the last {MAX_CHANGES}"
    fields = readonly_fields = (
        "version",
        "changed_at",
        "changed_by",
        "fields",
        "request_id",
    )
    ordering = ("-version",)
    max_num = extra = 0
    can_delete = False

    def get_queryset(self, request: HttpRequest) -> QuerySet[TaskChange]:
        match: Any = request.resolver_match
        task_id = match.kwargs.get("object_id")
        all_ = TaskChange.objects.filter(task_id=task_id).order_by(*self.ordering)
        newest = all_.values("pk")[:MAX_CHANGES]
        return TaskChange.objects.filter(pk__in=newest).order_by(*self.ordering)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class TrashFilter(admin.SimpleListFilter):
    title = parameter_name = "trash"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [("no", "Not in the trash"), ("yes", "In the trash")]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Task]
    ) -> QuerySet[Task]:
        chosen = {"no": LIVE, "yes": TRASHED}.get(self.value() or "")
        return queryset.filter(chosen) if chosen else queryset


@admin.register(Task)
class TaskAdmin(OperationModelAdmin):
    """Writes through operations, as the API does: version, history and revision."""

    list_display = (
        "title",
        "user",
        "status",
        "priority",
        "due_at",
        "created_at",
        "deleted_at",
    )
    list_filter = (
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
    ordering = ("-created_at", "-id")
    readonly_fields = (
        "id",
        "project",
        "labels",
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
    inlines = (ChangeInline,)
    actions = (actions.mark_done, actions.trash, actions.export_csv)
    actions_on_any_number = ("export_csv",)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Task]:
        users: Any = get_user_model()._default_manager
        every = super().get_queryset(request).filter(ADMIN_INDEX_PREDICATE)
        shown: QuerySet[Task] = users.without_erased(every)
        return shown.prefetch_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Task], search_term: str
    ) -> tuple[QuerySet[Task], bool]:
        return search.search_tasks(request, queryset, search_term), False

    def get_exclude(self, request: HttpRequest, obj: Task | None = None) -> list[str]:
        # They are checked against each other, which only the API does.
        return ["parent", "assignee_id", *([] if obj else ["project"])]

    def get_readonly_fields(
        self, request: HttpRequest, obj: Task | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, "user") if obj else ()

    def has_change_permission(
        self, request: HttpRequest, obj: Task | None = None
    ) -> bool:
        # Deleted tasks are read-only here; their owners may restore them.
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

    def save_model(
        self, request: HttpRequest, obj: Task, form: forms.ModelForm, change: bool
    ) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        values.pop("user", None)
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
