from typing import Any, cast
from uuid import UUID

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from tasks.models import LIVE, Change, Status, Task
from tasks.operations import Author, Create, Delete, Update, perform, perform_one


def author(request: HttpRequest, task: Task) -> Author:
    actor_id = cast(UUID, request.user.pk)
    request_id = request.META["HTTP_X_REQUEST_ID"]
    return Author(task.user_id, actor_id, request_id, timezone.now())


class ExactText(forms.CharField):
    """Keeps text as it is: Django would trim it, and browsers send CR LF for LF."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"strip": False})

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class ChangeInline(admin.TabularInline):
    model = Change
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


@admin.action(description="Mark the chosen tasks done")
def mark_done(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    for task in tasks.filter(LIVE):
        perform_one(Update({"status": Status.DONE}, task.pk), author(request, task))


@admin.action(description="Move the chosen tasks to the trash")
def trash(
    model_admin: admin.ModelAdmin, request: HttpRequest, tasks: QuerySet[Task]
) -> None:
    for task in tasks.filter(LIVE):
        perform_one(Delete(id=task.pk), author(request, task))


@admin.register(Task)
class TaskAdmin(admin.ModelAdmin):
    """Writes the way the API does: version, history and the owner's revision."""

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
        ("deleted_at", admin.EmptyFieldListFilter),
    )
    list_select_related = ("user",)
    search_fields = ("title", "user__email")
    autocomplete_fields = ("user",)
    ordering = ("-created_at", "-id")
    show_full_result_count = False
    readonly_fields = (
        "id",
        "completed_at",
        "version",
        "created_at",
        "updated_at",
        "deleted_at",
    )
    formfield_overrides = {
        models.CharField: {"form_class": ExactText},
        models.TextField: {"form_class": ExactText},
    }
    inlines = (ChangeInline,)
    actions = (mark_done, trash)

    def get_readonly_fields(
        self, request: HttpRequest, obj: Task | None = None
    ) -> tuple[str, ...]:
        return (*self.readonly_fields, "user") if obj else self.readonly_fields

    def has_change_permission(
        self, request: HttpRequest, obj: Task | None = None
    ) -> bool:
        # What is in the trash can be looked at; its owner may restore it.
        is_live = obj is None or obj.deleted_at is None
        return is_live and super().has_change_permission(request, obj)

    has_delete_permission = has_change_permission

    def formfield_for_dbfield(self, *args: Any, **options: Any) -> Any:
        # A field counts as changed by what the page showed, not by what is there now:
        # else a page opened before the owner's edit would put the old text back.
        return super().formfield_for_dbfield(*args, show_hidden_initial=True, **options)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        actions = super().get_actions(request)
        actions.pop("delete_selected", None)  # "trash" can be undone
        return actions

    def save_model(
        self, request: HttpRequest, obj: Task, form: forms.ModelForm, change: bool
    ) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        values.pop("user", None)
        if change:
            perform_one(Update(values, obj.pk), author(request, obj))
        else:
            [task] = perform([Create(values)], author(request, obj))
            obj.pk = task.pk

    def delete_model(self, request: HttpRequest, obj: Task) -> None:
        perform_one(Delete(id=obj.pk), author(request, obj))
