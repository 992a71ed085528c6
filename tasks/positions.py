"""Positions: texts whose bytewise order is the order of tasks by hand.

A new task comes last, because its position starts with the time. A task that is moved
between two others gets a text between theirs (fractional indexing), so that no other
row is written.
"""

from datetime import UTC, datetime, timedelta
from uuid import UUID

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
# Longer positions are replaced by housekeeping.
MAX_LENGTH = 200
TIME_DIGITS = 14
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def last_position(pk: UUID, now: datetime, index: int = 0) -> str:
    """The position of a new task, after all that are older; `index` in its batch."""
    microseconds = (now - EPOCH) // timedelta(microseconds=1)
    return f"{microseconds:0{TIME_DIGITS}x}{index:03x}{pk.hex[:3]}i"


def position_between(before: str, after: str) -> str:
    """A text greater than `before` ("" for none) and less than `after`.

    No position ends in "0", so that there is always another one before it. Raises
    ValueError unless before < after.
    """
    if before >= after:
        raise ValueError(f"{before!r} is not before {after!r}")
    shared = 0
    while shared < len(after) and digit(before, shared) == DIGITS.index(after[shared]):
        shared += 1
    prefix = after[:shared]
    low, high = digit(before, shared), digit(after, shared)
    if high - low > 1:
        return prefix + DIGITS[(low + high) // 2]
    # Below `after` by keeping `low`; above `before` by what follows.
    return prefix + DIGITS[low] + position_after(before[shared + 1 :])


def position_after(before: str) -> str:
    """A short text greater than `before`: the first digit that can be raised is."""
    for index, character in enumerate(before):
        if character != DIGITS[-1]:
            raised = (DIGITS.index(character) + len(DIGITS)) // 2
            return before[:index] + DIGITS[raised]
    return before + DIGITS[len(DIGITS) // 2]


def digit(text: str, index: int) -> int:
    """As if the text went on with zeros."""
    return DIGITS.index(text[index]) if index < len(text) else 0


def positions_between(before: str, after: str, count: int) -> list[str]:
    """So many texts between two, in order, with room between them."""
    if not count:
        return []
    middle, left = position_between(before, after), count // 2
    return [
        *positions_between(before, middle, left),
        middle,
        *positions_between(middle, after, count - left - 1),
    ]
