from typing import Any, cast

from django import forms
from django.contrib import admin
from django.contrib.admin.forms import AdminAuthenticationForm
from django.contrib.auth.admin import UserAdmin as DjangoUserAdmin
from django.contrib.auth.forms import AdminUserCreationForm
from django.contrib.auth.models import Group
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import Throttled

from accounts import audit
from accounts.addresses import client_address, network
from accounts.models import EndReason, Session, User
from accounts.throttles import account_key, enforce, limit_account

admin.site.site_url = "/api/docs"
admin.site.site_header = admin.site.site_title = "Task API"
admin.site.unregister(Group)  # an administrator may do everything; nobody else signs in


class LimitedLoginForm(AdminAuthenticationForm):
    """The API's own limits: the admin is no way around them."""

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username", "")
        account = account_key(email)
        if self.is_limited(email):
            raise forms.ValidationError("Too many attempts; try again later.")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            audit.record("login_failed", self.request, account=account, via="admin")
            raise
        if user := self.get_user():
            audit.record("login_ok", self.request, user_id=user.pk, via="admin")
        return cleaned

    def is_limited(self, email: str) -> bool:
        request = cast(HttpRequest, self.request)
        try:
            enforce(request, "auth", network(client_address(request)))
            limit_account(request, email)
        except Throttled:
            return True
        return False


admin.site.login_form = LimitedLoginForm


class UserCreationForm(AdminUserCreationForm):
    class Meta(AdminUserCreationForm.Meta):
        model = User
        fields = ("email", "name")
        field_classes = {}


class SessionInline(admin.TabularInline):
    model = Session
    fields = readonly_fields = (
        "user_agent",
        "address",
        "created_at",
        "last_used_at",
        "expires_at",
        "ended_at",
        "end_reason",
    )
    ordering = ("-last_used_at",)
    max_num = extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        return Session.objects.live(timezone.now())


@admin.action(description="End every session of the chosen users")
def end_sessions(
    model_admin: admin.ModelAdmin, request: HttpRequest, users: QuerySet[User]
) -> None:
    from accounts.sessions import end

    ended = 0
    for user in users:
        count = end(user.pk, now=timezone.now(), reason=EndReason.REVOKED)
        by = request.user.pk
        audit.record("sessions_revoked", request, user_id=user.pk, by=by, ended=count)
        ended += count
    model_admin.message_user(request, f"Ended {ended} session(s).")


@admin.action(description="Deactivate the chosen users")
def deactivate(
    model_admin: admin.ModelAdmin, request: HttpRequest, users: QuerySet[User]
) -> None:
    for user in users:
        user.is_active = False
        user.save(update_fields=["is_active", "updated_at"])
        audit.record("deactivate", request, user_id=user.pk, by=request.user.pk)


@admin.register(User)
class UserAdmin(DjangoUserAdmin):
    add_form = UserCreationForm
    fieldsets = (
        (None, {"fields": ("email", "name", "password")}),
        ("Standing", {"fields": ("role", "is_active")}),
        ("Record", {"fields": ("id", "created_at", "updated_at")}),
    )
    add_fieldsets = (
        (
            None,
            {
                "classes": ("wide",),
                "fields": (
                    "email",
                    "name",
                    "usable_password",
                    "password1",
                    "password2",
                ),
            },
        ),
    )
    list_display = ("email", "name", "role", "is_active", "created_at")
    list_filter = ("role", "is_active", "created_at")
    search_fields = ("email", "name")
    ordering = ("-created_at", "-id")
    filter_horizontal = ()
    readonly_fields = ("id", "created_at", "updated_at")
    show_full_result_count = False
    inlines = (SessionInline,)
    actions = (end_sessions, deactivate)

    def formfield_for_dbfield(self, *args: Any, **options: Any) -> Any:
        # A field counts as changed by what the page showed, not by what is there now:
        # else an old page would undo a deactivation.
        return super().formfield_for_dbfield(*args, show_hidden_initial=True, **options)

    def save_model(
        self, request: HttpRequest, obj: User, form: forms.ModelForm, change: bool
    ) -> None:
        if not change:
            obj.save()
            return
        # Only what the form changed: the rest may have moved since it was opened.
        obj.save(update_fields=[*form.changed_data, "updated_at"])
        audit.record(
            "user_change",
            request,
            user_id=obj.pk,
            by=request.user.pk,
            fields=form.changed_data,
        )

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        # Django's would load all that the users own, to list it, and would refuse
        # because of their sessions, which nobody may delete one by one.
        users = [str(user) for user in objs]
        return users, {"users": len(users)}, set(), []

    def delete_model(self, request: HttpRequest, obj: User) -> None:
        from accounts import personal_data

        erased = obj.pk
        personal_data.erase(obj)
        audit.record("erase", request, user_id=erased, by=request.user.pk)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            self.delete_model(request, user)


@admin.action(description="End the chosen sessions")
def end_chosen(
    model_admin: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[Session]
) -> None:
    from accounts.sessions import end

    for session in chosen:
        now = timezone.now()
        end(session.user_id, now=now, reason=EndReason.REVOKED, only=session.pk)
        audit.record(
            "session_ended", request, user_id=session.user_id, ended=session.pk
        )


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):
    list_display = (
        "user",
        "user_agent",
        "address",
        "created_at",
        "last_used_at",
        "ended_at",
    )
    list_filter = ("end_reason", "created_at")
    list_select_related = ("user",)
    search_fields = ("user__email", "address")
    ordering = ("-created_at",)
    show_full_result_count = False
    actions = (end_chosen,)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: Session | None = None
    ) -> bool:
        return False

    def has_view_permission(
        self, request: HttpRequest, obj: Session | None = None
    ) -> bool:
        return request.user.is_staff

    def has_delete_permission(
        self, request: HttpRequest, obj: Session | None = None
    ) -> bool:
        return False
