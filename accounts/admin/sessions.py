from ipaddress import ip_address
from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.text import Truncator

from accounts import audit
from accounts.models import RevocationReason, Session, User

MAX_SESSIONS = 50
MAX_DEVICE_CHARACTERS = 30


class SessionInline(admin.TabularInline):
    """The live sessions that were used last."""

    model = Session
    verbose_name_plural = f"Live sessions, the last {MAX_SESSIONS}"
    fields = readonly_fields = (
        "user_agent",
        "address",
        "created_at",
        "last_used_at",
        "expires_at",
    )
    ordering = ("-last_used_at",)
    max_num = extra = 0
    can_delete = False
    show_change_link = True

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        match: Any = request.resolver_match
        user_id = match.kwargs.get("object_id")
        live = Session.objects.live(timezone.now()).filter(user_id=user_id)
        newest = live.order_by(*self.ordering).values("pk")[:MAX_SESSIONS]
        return Session.objects.filter(pk__in=newest).order_by(*self.ordering)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    has_add_permission = has_change_permission

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return True


@admin.action(description="End the chosen sessions")
def end_chosen(
    model_admin: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[Session]
) -> None:
    from accounts.auth.sessions import revoke

    ended = 0
    for session in chosen:
        now = timezone.now()
        ended += revoke(
            session.user_id, now=now, reason=RevocationReason.REVOKED, only=session.pk
        )
        audit.record(
            "session_ended", request, user_id=session.user_id, ended=session.pk
        )
    model_admin.message_user(request, f"Ended {ended} session(s).")


class EndReasonFilter(admin.SimpleListFilter):
    # Django's own filter reads the whole table to list the reasons.
    title, parameter_name = "end", "end_reason"

    def lookups(self, *args: Any) -> list[tuple[str, str]]:
        return [("none", "Not ended"), *RevocationReason.choices]

    def queryset(
        self, request: HttpRequest, queryset: QuerySet[Session]
    ) -> QuerySet[Session]:
        chosen = self.value()
        if chosen is None:
            return queryset
        return queryset.filter(end_reason="" if chosen == "none" else chosen)


@admin.register(Session)
class SessionAdmin(admin.ModelAdmin):
    list_display = (
        "user",
        "device",
        "address",
        # Not created_at: it is as long before expires_at for all.
        "last_used_at",
        "expires_at",
        "ended_at",
    )
    list_filter = (EndReasonFilter, "expires_at")
    search_fields = ("user__email", "address")
    search_help_text = "A full e-mail address or a full IP address."
    # The only order with an index; all sessions have the same lifetime.
    ordering = ("-expires_at", "-id")
    sortable_by = ("expires_at",)
    actions = (end_chosen,)

    @admin.display(description="user agent")
    def device(self, session: Session) -> str:
        # In whole on the session's page; a long one would push the others out.
        return Truncator(session.user_agent).chars(MAX_DEVICE_CHARACTERS)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Session]:
        every = User.objects.without_erased(super().get_queryset(request))
        return every.prefetch_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Session], search_term: str
    ) -> tuple[QuerySet[Session], bool]:
        for word in search_term.split():
            queryset = queryset.filter(matches(word))
        return queryset, False

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


def matches(word: str) -> Q:
    if "@" in word:
        return Q(user__email__lower=word.lower())
    try:
        return Q(address=str(ip_address(word)))
    except ValueError:
        return Q(pk__in=[])
