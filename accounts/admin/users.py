from collections.abc import Callable
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminPasswordChangeForm, BaseUserCreationForm
from django.contrib.auth.models import Group
from django.db import transaction
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponseRedirect
from django.utils import timezone

from accounts import admin_sessions, audit
from accounts.admin import holdings
from accounts.admin.sessions import SessionInline
from accounts.errors import LastAdministrator
from accounts.models import RevocationReason, User

admin.site.unregister(Group)  # administrators may do everything; only they sign in


class UserCreationForm(BaseUserCreationForm):
    class Meta(BaseUserCreationForm.Meta):
        model = User
        fields = ("email", "name")
        field_classes = {}


class PasswordChangeForm(AdminPasswordChangeForm):
    # Django's speaks of other ways to sign in, of which there are none.
    usable_password_help_text = (
        "An account without a password cannot be signed in to. Set one here, or have "
        "the user reset it by mail."
    )


@admin.action(description="End every session of the chosen users")
def end_sessions(
    model_admin: admin.ModelAdmin, request: HttpRequest, users: QuerySet[User]
) -> None:
    from accounts.auth.sessions import revoke

    ended = 0
    for user in users:
        count = admin_sessions.count_of(user)
        count += revoke(user.pk, now=timezone.now(), reason=RevocationReason.REVOKED)
        by = request.user.pk
        audit.record("sessions_revoked", request, user_id=user.pk, by=by, ended=count)
        ended += count
    model_admin.message_user(request, f"Ended {ended} session(s).")


@admin.action(description="Deactivate the chosen users")
def deactivate(
    model_admin: admin.ModelAdmin, request: HttpRequest, users: QuerySet[User]
) -> None:
    count = 0
    for user in users:
        user.is_active = False
        try:
            user.save(update_fields=["is_active", "updated_at"])
        except LastAdministrator as error:
            message = f"{user}: {error.detail}"
            model_admin.message_user(request, message, messages.ERROR)
            continue
        audit.record("deactivate", request, user_id=user.pk, by=request.user.pk)
        count += 1
    model_admin.message_user(request, f"Deactivated {count} user(s).")


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    add_form = UserCreationForm
    change_password_form = PasswordChangeForm
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Status", {"fields": ("role", "is_active")}),
        ("Details", {"fields": ("owns", "id", "created_at", "updated_at")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": ("email", "name", "password1", "password2"),
            },
        ),
    )
    list_display = ("email", "name", "role", "is_active", "created_at")
    list_filter = ("role", "is_active", "created_at")
    sortable_by = ("created_at",)
    search_fields = ("email", "name")
    ordering = ("-created_at", "-id")
    filter_horizontal = ()
    readonly_fields = ("owns", "id", "created_at", "updated_at")
    inlines = (SessionInline,)
    actions = (end_sessions, deactivate)

    @admin.display(description="Owns")
    def owns(self, user: User) -> str:
        return holdings.links(user)

    def changeform_view(self, *args: Any, **options: Any) -> Any:
        return self.explain(super().changeform_view, *args, **options)

    def delete_view(self, *args: Any, **options: Any) -> Any:
        return self.explain(super().delete_view, *args, **options)

    def response_action(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        if request.POST.get("action") != "delete_selected":
            return super().response_action(request, *args, **options)
        return self.explain(super().response_action, request, *args, **options)

    def explain(
        self, view: Callable[..., Any], request: HttpRequest, *args: Any, **options: Any
    ) -> Any:
        """Do all that the view does, or nothing and say that an administrator stays."""
        try:
            with transaction.atomic():
                return view(request, *args, **options)
        except LastAdministrator as error:
            message = f"Nothing was changed. {error.detail}"
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        # Django offers the deletion first, where a slip of the mouse chooses it.
        actions = super().get_actions(request)
        if delete := actions.pop("delete_selected", None):
            actions["delete_selected"] = delete
        return actions

    def formfield_for_dbfield(self, *args: Any, **options: Any) -> Any:
        # A change is a difference from what the page showed, not from the database:
        # otherwise an old page would undo a deactivation.
        return super().formfield_for_dbfield(*args, show_hidden_initial=True, **options)

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.save()
            return
        # Only the changed fields: the others may have changed since the page was read.
        obj.save(update_fields=[*form.changed_data, "updated_at"])
        audit.record(
            "user_change",
            request,
            user_id=obj.pk,
            by=request.user.pk,
            fields=form.changed_data,
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        # Django's method would load and list all rows of the users, and would refuse,
        # because the admin does not permit the deletion of single sessions.
        users = {user.pk: str(user) for user in objs}
        goes = {"users": len(users)} | holdings.counts([*users])
        return [*users.values()], goes, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        from accounts import personal_data

        user_id = obj.pk
        personal_data.erase(obj, delete_shared=True)
        audit.record("erase", request, user_id=user_id, by=request.user.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset.order_by("pk"):
            self.delete_model(request, user)
