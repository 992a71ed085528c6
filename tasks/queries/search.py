"""How tasks with a text in them are found: near the start of the list, or anywhere.

A common word is soon met on a scan down the list in its order; a rare one is looked up
in a trigram index of all texts. The wrong choice takes seconds for a user with a
million tasks, and the planner cannot know beforehand. So a window of the first tasks is
scanned, and the index is read only where that holds too few matches.
"""

from typing import Any

from django.db.models import BigIntegerField, Func, TextField

from taskapi.db.compiled import Placeholder, SQLFragment
from taskapi.db.text import Fold, MayContain

# How many tasks are scanned for a first page, and for one far down the list.
MIN_SCAN, MAX_SCAN = 5_000, 100_000
DEPTH = Placeholder("depth", BigIntegerField())
WANTED = Placeholder("wanted", BigIntegerField())
# A subquery with LIMIT is planned separately; no table has as many rows.
OPTIMIZATION_FENCE: SQLFragment = (f" LIMIT {2**62}", [])
# For each source, so that its index is read no further than needed.
WINDOW: SQLFragment = (" LIMIT %s", [DEPTH])

# `is_far`: the window holds too few matches, so all matches are read.
COVERAGE_CTE = """
    SELECT "matches" < %s AND "scanned" = %s AS "is_far", "scanned" < %s AS "is_whole"
    FROM (
        SELECT (SELECT COUNT(*) FROM "near") AS "matches",
               (SELECT COUNT(*) FROM "scan") AS "scanned"
    ) counts
"""
COUNTS = """
    SELECT (SELECT COUNT(*) FROM "found") AS "total",
           (SELECT "is_far" OR "is_whole" FROM "coverage") AS "is_complete"
"""


class IndexedText(Func):
    """Title and description, exactly as in the trigram index of migration 0006."""

    template = (
        '"tasks_task"."title" || chr(10) || coalesce("tasks_task"."description", \'\')'
    )
    output_field = TextField()


def in_index(text: Any) -> MayContain:
    """What the index finds; holds tasks that do not contain the text, too."""
    return MayContain(Fold(IndexedText()), Fold(text))


def search_sql(
    window: list[SQLFragment],
    all_matches: SQLFragment,
    matches: list[SQLFragment],
    order: str,
    limit: SQLFragment,
) -> SQLFragment:
    """One row for each task of the page, after the columns of COUNTS; a row of nulls
    where the page is empty.

    `window` are the first rows of the parts of the list in its order, `matches` the
    same parts without an order and with only what matches, behind OPTIMIZATION_FENCE,
    and `all_matches` the matches of all users.
    """
    tables = {
        "scan": scan_window(window, order),
        # The CTE's name makes the matches those of the window.
        "near": (
            f'WITH "tasks_task" AS (SELECT * FROM "scan") {all_matches[0]}',  # noqa: S608
            all_matches[1],
        ),
        "coverage": (COVERAGE_CTE, [WANTED, DEPTH, DEPTH]),
        "found": combine_matches(matches),
    }
    ctes = ", ".join(
        f'"{name}" AS MATERIALIZED ({sql})' for name, (sql, _) in tables.items()
    )
    page = f'SELECT * FROM "found" x{order}{limit[0]}'  # noqa: S608
    sql = f"WITH {ctes} SELECT * FROM ({COUNTS}) c LEFT JOIN ({page}) x ON 1 = 1{order}"  # noqa: S608
    params = [param for _, each in tables.values() for param in each]
    return sql, [*params, *limit[1]]


def scan_depth(offset: int) -> int:
    """How many tasks to scan for a page that starts there."""
    # Enough for the matches before the page if one task in ten matches.
    return max(MIN_SCAN, min(MIN_SCAN + 10 * offset, MAX_SCAN))


def scan_window(parts: list[SQLFragment], order: str) -> SQLFragment:
    sql, params = union(parts)
    return f"SELECT x.* FROM ({sql}) x{order} LIMIT %s", [*params, DEPTH]  # noqa: S608


def combine_matches(matches: list[SQLFragment]) -> SQLFragment:
    """The matches of the window, or all matches."""
    sql, params = union(matches)
    near = 'SELECT * FROM "near" WHERE NOT (SELECT "is_far" FROM "coverage")'
    far = f'SELECT * FROM ({sql}) x WHERE (SELECT "is_far" FROM "coverage")'  # noqa: S608
    return f"{near} UNION ALL {far}", params


def union(parts: list[SQLFragment]) -> SQLFragment:
    sql = " UNION ALL ".join(f"SELECT * FROM ({sql}) y" for sql, _ in parts)  # noqa: S608
    return sql, [value for _, params in parts for value in params]
