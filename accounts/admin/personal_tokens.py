"""Personal tokens: whose, what for and when last used; they can be revoked here."""

from uuid import UUID

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest

from accounts import audit
from accounts.models import PersonalToken, User


@admin.action(description="Revoke the chosen tokens")
def revoke_chosen(
    model_admin: admin.ModelAdmin, request: HttpRequest, chosen: QuerySet[PersonalToken]
) -> None:
    revoked = 0
    for token in chosen:
        count, _ = PersonalToken.objects.filter(pk=token.pk).delete()
        revoked += count
        audit.record("token_revoked", request, user_id=token.user_id, token=token.pk)
    model_admin.message_user(request, f"Revoked {revoked} token(s).")


@admin.register(PersonalToken)
class PersonalTokenAdmin(admin.ModelAdmin):
    list_display = (
        *("user", "name", "scopes", "covers"),
        *("created_at", "last_used_at", "expires_at"),
    )
    exclude = ("token_hash",)
    search_fields = ("user__email",)
    search_help_text = "The full e-mail address of a user, or the full id of a token."
    # The only order with an index.
    ordering = ("-created_at", "-id")
    sortable_by = ("created_at",)
    actions = (revoke_chosen,)

    @admin.display(description="covers")
    def covers(self, token: PersonalToken) -> str:
        ids = token.project_ids
        return "all projects" if ids is None else f"{len(ids)} project(s)"

    def get_queryset(self, request: HttpRequest) -> QuerySet[PersonalToken]:
        every = User.objects.without_erased(super().get_queryset(request))
        return every.prefetch_related("user")

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[PersonalToken], search_term: str
    ) -> tuple[QuerySet[PersonalToken], bool]:
        for word in search_term.split():
            queryset = queryset.filter(matches(word))
        return queryset, False

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(
        self, request: HttpRequest, obj: PersonalToken | None = None
    ) -> bool:
        return False

    def has_view_permission(
        self, request: HttpRequest, obj: PersonalToken | None = None
    ) -> bool:
        return request.user.is_staff

    def has_delete_permission(
        self, request: HttpRequest, obj: PersonalToken | None = None
    ) -> bool:
        return False


def matches(word: str) -> Q:
    if "@" in word:
        return Q(user__email__lower=word.lower())
    try:
        return Q(pk=UUID(word))
    except ValueError:
        return Q(pk__in=[])
