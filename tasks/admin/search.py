"""What the search box of the tasks finds, within what there are indexes for."""

import re
from functools import reduce
from operator import and_

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest
from django.utils.text import smart_split, unescape_string_literal

from tasks.models import LIVE, TRASHED, Task

HELP = (
    'Words or a "quoted part" of the title, or the whole e-mail address of the owner.'
)
NEWEST = 10_000
# PostgreSQL's index knows three letters or digits in a row, and nothing shorter.
INDEXED = re.compile(r"\w{3}")


def found(
    request: HttpRequest, tasks: QuerySet[Task], search_term: str
) -> QuerySet[Task]:
    words = [unquoted(word) for word in smart_split(search_term)]
    owners = [word for word in words if "@" in word]
    titles = [word for word in words if "@" not in word]
    for email in owners:
        tasks = tasks.filter(user__email__lower=email.lower())
    if titles:
        tasks = tasks.filter(titled(titles))
    if words and not (owners or any(map(INDEXED.search, titles))):
        hint = (
            f"Without three letters in a row only the newest {NEWEST:,} are searched."
        )
        messages.warning(request, hint)
        tasks = tasks.filter(newest())
    return tasks


def newest() -> Q:
    moments = Task.objects.order_by("-created_at", "-id").values_list("created_at")
    bound = moments[NEWEST - 1 : NEWEST].first()
    return Q(created_at__gte=bound[0]) if bound else Q()


def titled(words: list[str]) -> Q:
    every = reduce(and_, (Q(title__icontains=word) for word in words))
    # Said twice: the index on titles is of live tasks, that of the trash is another.
    return LIVE & every | TRASHED & every


def unquoted(word: str) -> str:
    is_quoted = word[0] in "\"'" and word[0] == word[-1] and len(word) > 1
    return unescape_string_literal(word) if is_quoted else word
