"""How tasks with a text in them are found: near the start of the list, or anywhere.

A common word is soon met on a walk down the list in its order, a rare one is looked up
in an index of all texts. The wrong way of the two takes seconds for a user with a
million tasks, and no planner can tell beforehand which it is. So the first tasks are
walked, and only where they hold too few matches the index is asked.
"""

from accounts.reading import Fragment, Slot

# How many tasks are walked for a first page, and for one far down the list.
NEAR, FARTHEST = 5_000, 100_000
DEPTH = Slot("depth")
# What is limited is planned by itself; no table has as many rows.
FENCE = f"LIMIT {2**62}"

COUNTS: list[Fragment] = [
    ('SELECT COUNT(*) FROM "found"', []),
    ('SELECT "is_far" OR "is_all_near" FROM "reach"', []),
]
REACH = """
    SELECT "matches" < %s AND "walked" = %s AS "is_far", "walked" < %s AS "is_all_near"
    FROM (
        SELECT (SELECT COUNT(*) FROM "near") AS "matches",
               (SELECT COUNT(*) FROM "walk") AS "walked"
    ) counts
"""


def tables(
    walked: list[Fragment],
    hits: Fragment,
    matching: list[Fragment],
    order: str,
) -> list[tuple[str, Fragment]]:
    """Common table expressions, by name; `found` holds all matches, or the first and
    among these the page and one more.

    `walked` are the parts of the list in its order, `matching` the same parts without
    an order and with only what matches, and `hits` is all tasks that match.
    """
    # Here `hits` are those of the walk: the name of the table is the walk's.
    near = f'WITH "tasks_task" AS (SELECT * FROM "walk") {hits[0]}'  # noqa: S608
    return [
        ("walk", first(walked, order)),
        ("near", (near, hits[1])),
        ("reach", (REACH, [Slot("wanted"), DEPTH, DEPTH])),
        ("found", either(matching)),
    ]


def depth(offset: int) -> int:
    """How many tasks to walk, for the slot of that name."""
    # For the matches before the page, if one task in ten is one.
    return max(NEAR, min(NEAR + 10 * offset, FARTHEST))


def first(parts: list[Fragment], order: str) -> Fragment:
    # Each part by itself, so that an index is walked and no further than needed.
    sql, params = union(
        [(f"{sql} LIMIT %s", [*params, DEPTH]) for sql, params in parts]
    )
    return f"SELECT x.* FROM ({sql}) x{order} LIMIT %s", [*params, DEPTH]  # noqa: S608


def either(matching: list[Fragment]) -> Fragment:
    """What matches near, or what matches anywhere."""
    sql, params = union([(f"{sql} {FENCE}", params) for sql, params in matching])
    near = 'SELECT * FROM "near" WHERE NOT (SELECT "is_far" FROM "reach")'
    far = f'SELECT * FROM ({sql}) x WHERE (SELECT "is_far" FROM "reach")'  # noqa: S608
    return f"{near} UNION ALL {far}", params


def union(parts: list[Fragment]) -> Fragment:
    sql = " UNION ALL ".join(f"SELECT * FROM ({sql}) y" for sql, _ in parts)  # noqa: S608
    return sql, [value for _, params in parts for value in params]
