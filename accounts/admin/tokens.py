"""SimpleJWT's pages for its tokens, for any number of them."""

from typing import Any

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from rest_framework_simplejwt.token_blacklist.admin import (
    BlacklistedTokenAdmin as SimpleBlacklistedTokenAdmin,
)
from rest_framework_simplejwt.token_blacklist.admin import (
    OutstandingTokenAdmin as SimpleOutstandingTokenAdmin,
)
from rest_framework_simplejwt.token_blacklist.models import (
    BlacklistedToken,
    OutstandingToken,
)

from accounts.models import User

HELP = "The full jti of a token, or the full e-mail address of its user."

admin.site.unregister([OutstandingToken, BlacklistedToken])


def matches(word: str, token: str = "") -> Q:
    if "@" in word:
        return Q(**{f"{token}user__email__lower": word.lower()})
    return Q(**{f"{token}jti": word})


class TokenAdmin(admin.ModelAdmin):
    token_path = ""
    ordering = ("-id",)
    sortable_by = ()
    search_help_text = HELP

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        # A join would be executed for every row that precedes the page, too.
        tokens = super().get_queryset(request).select_related(None)
        tokens = self.without_erased(tokens)
        return tokens.prefetch_related(f"{self.token_path}user")

    def without_erased(self, tokens: QuerySet[Any]) -> QuerySet[Any]:
        return User.objects.without_erased(tokens)

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Any], search_term: str
    ) -> tuple[QuerySet[Any], bool]:
        for word in search_term.split():
            queryset = queryset.filter(matches(word, self.token_path))
        return queryset, False


@admin.register(OutstandingToken)
class OutstandingTokenAdmin(TokenAdmin, SimpleOutstandingTokenAdmin):
    pass


@admin.register(BlacklistedToken)
class BlacklistedTokenAdmin(TokenAdmin, SimpleBlacklistedTokenAdmin):
    token_path = "token__"

    def without_erased(self, tokens: QuerySet[Any]) -> QuerySet[Any]:
        # Not by a path to the user, which would be a join.
        erased = OutstandingToken.objects.filter(user__in=User.objects.erased())
        return tokens.exclude(token__in=erased) if erased.exists() else tokens

    autocomplete_fields = ("token",)
