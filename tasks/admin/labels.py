"""The labels of all users."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.core.validators import RegexValidator
from django.db.models import QuerySet
from django.http import HttpRequest

from tasks.admin import search
from tasks.admin.actions import author_of
from tasks.admin.errors import OperationForm, OperationModelAdmin
from tasks.admin.fields import ColorField
from tasks.models import ADMIN_INDEX_PREDICATE, Label, TaskLabel
from tasks.operations.space_labels import MAX_TASKS, delete_label, update_label

NO_COMMA = RegexValidator("^[^,]*$", "A name contains no comma.")


class LabelForm(OperationForm):
    name = forms.CharField(
        max_length=50, validators=[NO_COMMA], show_hidden_initial=True
    )
    color = ColorField(required=False, show_hidden_initial=True)


@admin.register(Label)
class LabelAdmin(OperationModelAdmin):
    """Writes through operations: a changed name is so on every task that has it."""

    form = LabelForm
    list_display = ("name", "owner", "color", "created_at")
    sortable_by = ("created_at",)
    search_fields = ("name", "owner__email")
    search_help_text = search.NAMES_HELP
    ordering = ("-created_at", "-id")
    fields = ("owner", "name", "color", "tasks", "id", "version", "created_at")
    readonly_fields = ("owner", "tasks", "id", "version", "created_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Label]:
        users: Any = get_user_model()._default_manager
        every = super().get_queryset(request).filter(ADMIN_INDEX_PREDICATE)
        shown: QuerySet[Label] = users.without_erased(every, "owner")
        return shown.prefetch_related("owner")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Label], search_term: str
    ) -> tuple[QuerySet[Label], bool]:
        return search.search_names(queryset, search_term), False

    @admin.display(description="tasks with it")
    def tasks(self, label: Label) -> str:
        return count_tasks([label])

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Label, form: forms.ModelForm, change: bool
    ) -> None:
        values = {name: form.cleaned_data[name] for name in form.changed_data}
        update_label(obj.pk, values, author_of(request, obj.owner_id))

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        # Django's would list the tasks.
        names = [str(label) for label in objs]
        count = {"labels": len(names), "tasks that lose them": count_tasks([*objs])}
        return names, count, set(), []

    def delete_model(self, request: HttpRequest, obj: Label) -> None:
        delete_label(obj.pk, author_of(request, obj.owner_id))

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[Label]) -> None:
        # All or none. In one order: each locks its owner's row.
        for label in queryset.order_by("owner_id", "pk"):
            self.delete_model(request, label)


def count_tasks(labels: list[Label]) -> str:
    labelled = TaskLabel.objects.filter(label__in=labels).values("task").distinct()
    count = labelled[: MAX_TASKS + 1].count()
    return f"{count:,}" if count <= MAX_TASKS else f"more than {MAX_TASKS:,}"
