"""The open invitations to a project, on its page."""

from typing import Any

from django import forms
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone

from taskapi.db.text import ascii_only
from tasks.admin.actions import author_of
from tasks.admin.members import NewRowsInline, RoleInline
from tasks.invitation_mail import instruction
from tasks.models import Invitation, Project
from tasks.operations import invitations

MADE = "An invitation for {} was made. {}. It is shown only now."


class OpenInvitationInline(RoleInline):
    model = Invitation
    verbose_name_plural = "Open invitations; deleting one withdraws it"
    fields = readonly_fields = ("email", "role", "created_at", "expires_at")
    ordering = ("created_at", "pk")

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows: Any = super().get_queryset(request).select_related("project")
        # One that was closed while the page was open is refused by the operation.
        if request.method != "POST":
            rows = rows.open(timezone.now())
        found: QuerySet[Any] = rows
        return found

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


class InvitationForm(forms.ModelForm):
    email = forms.EmailField(
        max_length=255, validators=[ascii_only], label="E-mail address"
    )


class NewInvitationInline(NewRowsInline):
    model = Invitation
    form = InvitationForm
    verbose_name, verbose_name_plural = "invitation", "Invite"
    fields = ("email", "role")


def write(
    model_admin: admin.ModelAdmin, request: HttpRequest, project: Project, formset: Any
) -> None:
    context = author_of(request, project.owner_id)
    for each in formset.deleted_objects:
        invitations.withdraw(project.pk, each.pk, context)
    made = [
        (each.email, invitations.invite(project.pk, each.email, each.role, context)[1])
        for each in formset.new_objects
    ]
    for email, token in made:
        message = MADE.format(email, instruction(token))
        model_admin.message_user(request, message, messages.WARNING)
