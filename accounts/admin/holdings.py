"""What users own, for the pages of the admin: how many rows, and where they are."""

from collections.abc import Iterator, Sequence
from typing import Any
from uuid import UUID

from django.db.models import QuerySet
from django.urls import reverse
from django.utils.html import format_html_join
from django.utils.safestring import SafeString

from accounts import personal_data
from accounts.models import User

MAX_COUNTED = 10_000


def counts(user_ids: Sequence[UUID]) -> dict[str, str]:
    """How many rows of each kind these users own together."""
    return {name: count(rows) for name, rows, _ in holdings(user_ids)}


def links(user: User) -> SafeString:
    """The same of one user, each with a link to its list."""
    found = holdings([user.pk])
    rows = ((url(held, user, query), name, count(held)) for name, held, query in found)
    capitalized = ((link, name.capitalize(), number) for link, name, number in rows)
    return format_html_join(" · ", '<a href="{}">{}: {}</a>', capitalized)


def holdings(user_ids: Sequence[UUID]) -> Iterator[tuple[str, QuerySet[Any], str]]:
    for module in personal_data.modules():
        yield from module.holdings(user_ids)


def count(rows: QuerySet[Any]) -> str:
    counted = rows.order_by()[: MAX_COUNTED + 1].count()
    is_all = counted <= MAX_COUNTED
    return f"{counted:,}" if is_all else f"more than {MAX_COUNTED:,}"


def url(rows: QuerySet[Any], user: User, query: str) -> str:
    meta = rows.model._meta
    changelist = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{changelist}?user__id__exact={user.pk}{query}"
