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
from taskapi.db.holdings import Holding

MAX_COUNTED = 10_000


def counts(user_ids: Sequence[UUID]) -> dict[str, str]:
    """How many rows of each kind go with these users, together."""
    found = holdings(user_ids)
    return {each.name: count(each.rows) for each in found if each.is_erased}


def links(user: User) -> SafeString:
    """How many a user has of each kind that has a list, with a link to it."""
    listed = (each for each in holdings([user.pk]) if each.list_query)
    rows = (
        (url(each, user), each.name.capitalize(), count(each.rows)) for each in listed
    )
    return format_html_join(" · ", '<a href="{}">{}: {}</a>', rows)


def holdings(user_ids: Sequence[UUID]) -> Iterator[Holding]:
    for module in personal_data.modules():
        yield from module.holdings(user_ids)


def count(rows: QuerySet[Any]) -> str:
    counted = rows.order_by()[: MAX_COUNTED + 1].count()
    is_all = counted <= MAX_COUNTED
    return f"{counted:,}" if is_all else f"more than {MAX_COUNTED:,}"


def url(holding: Holding, user: User) -> str:
    meta = holding.rows.model._meta
    changelist = reverse(f"admin:{meta.app_label}_{meta.model_name}_changelist")
    return f"{changelist}?{holding.list_query.format(user.pk)}"
