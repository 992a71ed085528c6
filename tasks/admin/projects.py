"""The projects of all users."""

from typing import Any

from django import forms
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db import models
from django.db.models import Prefetch, Q, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from taskapi.api.preconditions import NO_PRECONDITION
from tasks.admin import invitations, members, project_actions, search
from tasks.admin.actions import author_of
from tasks.admin.errors import OperationForm
from tasks.admin.fields import ColorField, UnstrippedCharField
from tasks.admin.history import ProjectChangeInline
from tasks.admin.restore import RestorableModelAdmin
from tasks.models import ADMIN_INDEX_PREDICATE, Invitation, Membership, Project
from tasks.operations.projects import (
    create_project,
    delete_project,
    restore_project,
    update_project,
)

STATES = {
    "live": ("In use", Q(is_inbox=False, archived_at=None, deleted_at=None)),
    "archived": (
        "Archived",
        Q(is_inbox=False, archived_at__isnull=False, deleted_at=None),
    ),
    "trash": ("In the trash", Q(is_inbox=False, deleted_at__isnull=False)),
    "inbox": ("Inboxes", Q(is_inbox=True)),
}


class StateFilter(admin.SimpleListFilter):
    """Inboxes, of which each account has one, are shown only if asked for."""

    title = parameter_name = "state"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [(name, label) for name, (label, _) in STATES.items()]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Project]
    ) -> QuerySet[Project]:
        chosen = STATES.get(self.value() or "")
        return queryset.filter(chosen[1] if chosen else Q(is_inbox=False))


class ProjectForm(OperationForm):
    color = ColorField(required=False, show_hidden_initial=True)


@admin.register(Project)
class ProjectAdmin(RestorableModelAdmin):
    """Writes through operations, as the API does: version, history and revision."""

    form = ProjectForm
    list_display = (
        "name",
        "owner",
        "members",
        "archived_at",
        "deleted_at",
        "created_at",
    )
    list_filter = (StateFilter,)
    sortable_by = ("created_at",)
    search_fields = ("name", "owner__email")
    search_help_text = search.NAMES_HELP
    autocomplete_fields = ("owner",)
    ordering = ("-created_at", "-id")
    fields = ("owner", "name", "description", "color")
    readonly_fields = (
        "lists",
        "is_inbox",
        "id",
        "version",
        "created_at",
        "updated_at",
        "archived_at",
        "deleted_at",
    )
    formfield_overrides = {models.TextField: {"form_class": UnstrippedCharField}}
    inlines = (
        members.MemberInline,
        members.NewMemberInline,
        invitations.OpenInvitationInline,
        # After all that may be refused: it tells a token.
        invitations.NewInvitationInline,
        ProjectChangeInline,
    )
    actions = project_actions.ALL

    def get_queryset(self, request: HttpRequest) -> QuerySet[Project]:
        users: Any = get_user_model()._default_manager
        every = super().get_queryset(request).filter(ADMIN_INDEX_PREDICATE)
        shown = users.without_erased(every.filter(destroyed_at=None), "owner")
        # Few of each: QUOTA_MEMBERS.
        of_it = Prefetch("memberships", Membership.objects.only("project_id"))
        found: QuerySet[Project] = shown.prefetch_related("owner", of_it)
        return found

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Project], search_term: str
    ) -> tuple[QuerySet[Project], bool]:
        return search.search_names(queryset, search_term), False

    @admin.display
    def members(self, project: Project) -> int:
        return len(project.memberships.all())

    @admin.display(description="lists")
    def lists(self, project: Project) -> SafeString:
        tasks, members = (
            f"{reverse(f'admin:tasks_{name}_changelist')}?project__id__exact={project.pk}"
            for name in ("task", "membership")
        )
        links = [
            (f"{tasks}&trash=no", "Its tasks"),
            (f"{tasks}&trash=yes", "Its tasks in the trash"),
            (members, "Its members"),
        ]
        return format_html_join(" · ", '<a href="{}">{}</a>', links)

    def get_fields(self, request: HttpRequest, obj: Project | None = None) -> Any:
        return (*self.fields, *self.readonly_fields) if obj else self.fields

    def get_readonly_fields(
        self, request: HttpRequest, obj: Project | None = None
    ) -> Any:
        return (*self.readonly_fields, "owner") if obj else ()

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        if obj and obj.is_inbox:  # never shared
            return (ProjectChangeInline,)
        return super().get_inlines(request, obj)

    def has_change_permission(
        self, request: HttpRequest, obj: Project | None = None
    ) -> bool:
        # Projects in the trash are read-only until they are restored.
        is_live = obj is None or obj.deleted_at is None
        return is_live and super().has_change_permission(request, obj)

    has_delete_permission = has_change_permission

    def formfield_for_dbfield(self, *args: Any, **options: Any) -> Any:
        # A change is a difference from what the page showed, as with tasks.
        return super().formfield_for_dbfield(*args, show_hidden_initial=True, **options)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        offered = super().get_actions(request)
        offered.pop("delete_selected", None)  # "trash" is reversible
        return offered

    def save_model(
        self, request: HttpRequest, obj: Project, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            values = changed_values(form)
            values.pop("owner", None)
            context = author_of(request, obj.owner_id)
            obj.pk = create_project(values, context).pk

    def save_related(
        self, request: HttpRequest, form: forms.ModelForm, formsets: Any, change: bool
    ) -> None:
        if change:
            project = form.instance
            members.lock_people(project, formsets)
            context = author_of(request, project.owner_id)
            update_project(project.pk, changed_values(form), context)
        super().save_related(request, form, formsets, change)

    def save_formset(
        self, request: HttpRequest, form: forms.ModelForm, formset: Any, change: bool
    ) -> None:
        formset.save(commit=False)
        if formset.model is Membership:
            members.write(request, form.instance, formset)
        elif formset.model is Invitation:
            invitations.write(self, request, form.instance, formset)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        # Django's would list all tasks, which go to the trash with their project.
        names = [str(project) for project in objs]
        return names, {"projects": len(names)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Project) -> None:
        delete_project(obj.pk, author_of(request, obj.owner_id), NO_PRECONDITION)

    def restore(self, request: HttpRequest, row: Project) -> None:
        restore_project(row.pk, author_of(request, row.owner_id), NO_PRECONDITION)


def changed_values(form: forms.ModelForm) -> dict[str, Any]:
    return {name: form.cleaned_data[name] for name in form.changed_data}
