"""The searches of the lists, limited to what the indexes support."""

import re
from functools import reduce
from operator import and_
from typing import Any

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, PAGE_VAR, SEARCH_VAR
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.text import smart_split, unescape_string_literal

from taskapi.db.text import Contains, Fold
from tasks.models import ADMIN_INDEX_PREDICATE, Task
from tasks.queries.search import in_index

NAMES_HELP = "Parts of the name, or the full e-mail address of the owner."
HELP = (
    'Words or a "quoted phrase" of the title, or the full e-mail address of the owner.'
)
MAX_UNINDEXED = 10_000
# What the address of a list has without a filter.
UNFILTERED = {SEARCH_VAR, ORDER_VAR, PAGE_VAR}
# The trigram index finds three letters or digits in a row, and nothing shorter.
INDEXED = re.compile(r"\w{3}")


def search_tasks(
    request: HttpRequest, tasks: QuerySet[Task], search_term: str
) -> QuerySet[Task]:
    words = [unquote(word) for word in smart_split(search_term)]
    owners = [word for word in words if "@" in word]
    titles = [word for word in words if "@" not in word]
    for email in owners:
        tasks = tasks.filter(user__email__lower=email.lower())
    if titles:
        tasks = tasks.filter(title_contains(titles))
    if words and not (owners or any(map(INDEXED.search, titles))):
        bound = f"only the newest {MAX_UNINDEXED:,} tasks are searched"
        hint = f"Without three letters in a row, {bound}."
        messages.warning(request, hint)
        tasks = tasks.filter(is_newest())
    return tasks


def is_filtered(request: HttpRequest) -> bool:
    """Whether the words of a search are not all that a list is narrowed by."""
    return SEARCH_VAR in request.GET and bool(request.GET.keys() - UNFILTERED)


def search_names(rows: QuerySet[Any], search_term: str) -> QuerySet[Any]:
    """Projects or labels; there are so few that no index is needed."""
    for word in map(unquote, smart_split(search_term)):
        if "@" in word:
            rows = rows.filter(owner__email__lower=word.lower())
        else:
            rows = rows.filter(Contains(Fold("name"), Fold(Value(word))))
    return rows


def is_newest() -> Q:
    tasks = Task.objects.filter(ADMIN_INDEX_PREDICATE)
    moments = tasks.order_by("-created_at", "-id").values_list("created_at")
    bound = moments[MAX_UNINDEXED - 1 : MAX_UNINDEXED].first()
    return Q(created_at__gte=bound[0]) if bound else Q()


def title_contains(words: list[str]) -> Q:
    contained = (
        Q(in_index(Value(word))) & Q(Contains(Fold("title"), Fold(Value(word))))
        for word in words
    )
    return reduce(and_, contained)


def unquote(word: str) -> str:
    is_quoted = word[0] in "\"'" and word[0] == word[-1] and len(word) > 1
    return unescape_string_literal(word) if is_quoted else word
