"""The days of a rule, in order, without a time of day.

dateutil looks for the next day of a rule up to the year 9999, however rare its days
are: seconds for `FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30`. So it is asked for the days of
one year at a time, which takes it some 50 µs, and INTERVAL, BYSETPOS and the end are
up to us.
"""

from collections.abc import Callable, Iterable, Iterator
from datetime import MAXYEAR, MINYEAR, date, datetime
from itertools import groupby
from typing import Any

from dateutil.rrule import YEARLY, rrule, weekday

from tasks.recurrence.rules import Rule

MAX_YEARS = 40
EVERY_DAY = tuple(range(7))
EVERY_MONTH = tuple(range(1, 13))


def days_after(rule: Rule, anchor: date, after: date) -> Iterator[date]:
    """The days of the rule later than `after`, up to 40 years later; COUNT and UNTIL
    are not looked at.

    `anchor` is a day of the series: intervals are counted from its period, and what the
    rule does not say (which weekday, which day of the month) is as on that day.
    """
    limit = (after.year + MAX_YEARS, after.month, after.day)
    for day in in_periods(rule, anchor, after.year, limit[0]):
        if (day.year, day.month, day.day) > limit:
            return
        if day > after:
            yield day


def in_periods(rule: Rule, anchor: date, first: int, last: int) -> Iterator[date]:
    """The days in all periods that lie in these years, at least in part."""
    key = KEYS[rule.frequency](rule)
    start = key(anchor)
    options = expansion(rule, anchor)
    years = years_of(rule, anchor, first, last)
    every = (day for year in years for day in of_year(year, options))
    days = (day for day in every if (key(day) - start) % rule.interval == 0)
    positions = rule.lists.get("BYSETPOS")
    return pick(days, key, positions) if positions else days


def years_of(rule: Rule, anchor: date, first: int, last: int) -> range:
    if rule.frequency == "YEARLY":
        first += (anchor.year - first) % rule.interval
        return range(first, min(last, MAXYEAR) + 1, rule.interval)
    # A week may begin in the year before, and end in the next.
    is_weekly = rule.frequency == "WEEKLY"
    return range(max(first - is_weekly, MINYEAR), min(last + is_weekly, MAXYEAR) + 1)


def of_year(year: int, options: dict[str, Any]) -> list[date]:
    # The interval leads out of the calendar, so this ends.
    found = rrule(YEARLY, datetime(year, 1, 1), MAXYEAR, **options)  # noqa: DTZ001
    return [each.date() for each in found]


def expansion(rule: Rule, anchor: date) -> dict[str, Any]:
    """What dateutil is told: the days of any period of the rule, as days of a year."""
    options: dict[str, Any] = {
        "bymonth": rule.lists.get("BYMONTH"),
        "byweekno": rule.lists.get("BYWEEKNO"),
        "byyearday": rule.lists.get("BYYEARDAY"),
        "bymonthday": rule.lists.get("BYMONTHDAY"),
        "byweekday": [weekday(day, number or None) for number, day in rule.days],
        "wkst": rule.week_start,
    }
    if rule.frequency == "MONTHLY":
        # With months, the number of a BYDAY counts in each of them.
        options["bymonth"] = options["bymonth"] or EVERY_MONTH
    return {**options, **as_anchor(rule, anchor, options)}


def as_anchor(rule: Rule, anchor: date, options: dict[str, Any]) -> dict[str, Any]:
    """What the rule leaves open: as in DTSTART (section 3.3.10)."""
    if rule.days:
        return {}
    if rule.frequency == "DAILY":
        return {"byweekday": EVERY_DAY}
    if rule.frequency == "WEEKLY":
        return {"byweekday": [anchor.weekday()]}
    if options["bymonthday"] or options["byyearday"]:
        return {"byweekday": None}
    if options["byweekno"]:
        return {"byweekday": [anchor.weekday()]}
    months = options["bymonth"] or [anchor.month]
    return {"byweekday": None, "bymonth": months, "bymonthday": anchor.day}


def pick(
    days: Iterable[date], key: Callable[[date], int], positions: tuple[int, ...]
) -> Iterator[date]:
    """BYSETPOS: of each period, the days at these positions, from 1 or from -1."""
    for _, group in groupby(days, key):
        found = list(group)
        size = len(found)
        places = {at - 1 if at > 0 else size + at for at in positions}
        yield from (found[at] for at in sorted(places) if 0 <= at < size)


def week_key(rule: Rule) -> Callable[[date], int]:
    # Day 1 of the calendar is a Monday.
    return lambda day: (day.toordinal() - 1 - rule.week_start) // 7


# The number of the period that a day is in.
KEYS: dict[str, Callable[[Rule], Callable[[date], int]]] = {
    "DAILY": lambda rule: date.toordinal,
    "WEEKLY": week_key,
    "MONTHLY": lambda rule: lambda day: day.year * 12 + day.month,
    "YEARLY": lambda rule: lambda day: day.year,
}
