"""The list of members, of one project or of all."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.http import HttpRequest

from taskapi.api.preconditions import NO_PRECONDITION
from tasks.admin.actions import author_of
from tasks.admin.errors import OperationModelAdmin
from tasks.admin.members import RoleMixin
from tasks.models import Membership, Role
from tasks.operations.members import change_role, remove_member


@admin.register(Membership)
class MembershipAdmin(RoleMixin, OperationModelAdmin):
    """For projects with more members than their pages show."""

    list_display = ("user", "project", "role", "joined_at")
    search_fields = ("user__email",)
    search_help_text = "The full e-mail address of the member."
    # In the order of joining.
    ordering = ("-id",)
    sortable_by = ()
    fields = ("user", "project", "role", "joined_at")
    readonly_fields = ("user", "project", "joined_at")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Membership]:
        users: Any = get_user_model()._default_manager
        every = super().get_queryset(request).filter(project__destroyed_at=None)
        shown = users.without_erased(users.without_erased(every), "project__owner")
        found: QuerySet[Membership] = shown.prefetch_related("user", "project")
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Membership], search_term: str
    ) -> tuple[QuerySet[Membership], bool]:
        for word in search_term.split():
            queryset = queryset.filter(user__email__lower=word.lower())
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def save_model(
        self, request: HttpRequest, obj: Membership, form: forms.ModelForm, change: bool
    ) -> None:
        if "role" in form.changed_data:
            context = author_of(request, obj.project.owner_id)
            role = Role(obj.role)
            change_role(obj.project_id, obj.user_id, role, context, NO_PRECONDITION)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        names = [str(membership) for membership in objs]
        return names, {"members": len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Membership) -> None:
        context = author_of(request, obj.project.owner_id)
        remove_member(obj.project_id, obj.user_id, context, NO_PRECONDITION)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Each locks two accounts; many at once would wait for each other.
        return {}
