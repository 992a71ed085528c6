"""The search of the task list, limited to what the indexes support."""

import re
from functools import reduce
from operator import and_

from django.contrib import messages
from django.db.models import Q, QuerySet, Value
from django.http import HttpRequest
from django.utils.text import smart_split, unescape_string_literal

from taskapi.db.text import Contains, Fold
from tasks.models import Task
from tasks.queries.search import in_index

HELP = (
    'Words or a "quoted phrase" of the title, or the full e-mail address of the owner.'
)
MAX_UNINDEXED = 10_000
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


def is_newest() -> Q:
    moments = Task.objects.order_by("-created_at", "-id").values_list("created_at")
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
