"""The members of a project, on its page."""

from collections.abc import Iterable
from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import QuerySet
from django.forms.models import BaseInlineFormSet
from django.http import HttpRequest

from taskapi.api.preconditions import NO_PRECONDITION
from tasks.admin.actions import author_of
from tasks.admin.history import full_name
from tasks.models import Membership, Project, Role
from tasks.operations import members

MEMBER_ROLES = [choice for choice in Role.choices if choice[0] < Role.OWNER]
# The others are in their list: each is a form of its own, of 2 ms.
MAX_MEMBERS = 25
STALE = "Some of these have changed since the page was opened; open it again."


class CurrentRowsFormSet(BaseInlineFormSet):
    def clean(self) -> None:
        super().clean()
        # Django's error is in a field that is not shown.
        if any("id" in errors for errors in self.errors):
            raise forms.ValidationError(STALE)


class RoleMixin:
    """Offers the roles that members can have."""

    def formfield_for_choice_field(self, *args: Any, **options: Any) -> Any:
        return super().formfield_for_choice_field(  # type: ignore[misc]
            *args, **options | {"choices": MEMBER_ROLES, "show_hidden_initial": True}
        )


class RoleInline(RoleMixin, admin.TabularInline):
    """Rows of a project that give a role to somebody."""

    formset = CurrentRowsFormSet
    extra = 0


class NewRowsInline(RoleInline):
    """Only adds: the rows that are there are in an inline of their own."""

    extra = 1

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_view_permission = has_delete_permission = has_change_permission


class MemberInline(RoleInline):
    model = Membership
    verbose_name_plural = f"Members, the first {MAX_MEMBERS}"
    fields = ("member", "role", "joined_at")
    readonly_fields = ("member", "joined_at")
    ordering = ("joined_at", "pk")

    @admin.display
    def member(self, membership: Membership) -> str:
        return full_name(membership.user)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        match: Any = request.resolver_match
        of_project = Membership.objects.filter(
            project=match.kwargs.get("object_id"), user__erased_at=None
        )
        first = of_project.order_by(*self.ordering).values("pk")[:MAX_MEMBERS]
        known = super().get_queryset(request).filter(pk__in=first)
        return known.select_related("user", "project")

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False


class NewMemberInline(NewRowsInline):
    model = Membership
    verbose_name, verbose_name_plural = "member", "Add members"
    fields = ("user", "role")
    autocomplete_fields = ("user",)


def write(request: HttpRequest, project: Project, formset: Any) -> None:
    context = author_of(request, project.owner_id)
    for member in formset.deleted_objects:
        members.remove_member(project.pk, member.user_id, context, NO_PRECONDITION)
    for member, _ in formset.changed_objects:
        role = Role(member.role)
        members.change_role(project.pk, member.user_id, role, context, NO_PRECONDITION)
    for member in formset.new_objects:
        members.admit(project.pk, member.user_id, member.role, context)


def lock_people(project: Project, formsets: Iterable[Any]) -> None:
    """Lock the rows of all accounts that a form concerns, in one order: each operation
    locks those that it needs, and another transaction may have some of them.
    """
    concerned = {
        form.instance.user_id
        for formset in formsets
        if formset.model is Membership
        for form in formset.forms
        if form.has_changed()
    }
    users = get_user_model()._base_manager.filter(pk__in={*concerned, project.owner_id})
    list(users.order_by("pk").select_for_update().values_list("pk"))
