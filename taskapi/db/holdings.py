"""What accounts hold in the apps, for the admin (see settings.PERSONAL_DATA)."""

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet


@dataclass(frozen=True)
class Holding:
    """One kind of rows of some users.

    `list_query` is the query string of the admin's list of one user's, with `{}` for
    the user's id; without one there is no such list.
    """

    name: str
    rows: QuerySet[Any]
    list_query: str = ""
    # Whether they go with the account.
    is_erased: bool = True
