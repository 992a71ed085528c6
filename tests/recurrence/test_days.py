"""The days of a rule are those that dateutil finds by itself, but in bounded time."""

import datetime as datetime_module
import sys
from collections.abc import Callable
from datetime import date, datetime
from itertools import islice, takewhile
from types import FrameType, SimpleNamespace
from typing import Any
from unittest.mock import patch

import pytest
from dateutil import rrule
from hypothesis import given
from hypothesis import strategies as st

from tasks.recurrence.days import days_after
from tasks.recurrence.rules import WEEKDAYS, RuleError, parse

CLASSES = ("date", "datetime", "time", "timedelta")
WANTED = 20
DAYS = st.dates(date(1990, 1, 1), date(2010, 12, 31))
END = date(2030, 1, 1)
# dateutil looks for days to the end of the calendar, for seconds.
SHORT_CALENDAR = SimpleNamespace(
    MAXYEAR=END.year, **{n: getattr(datetime_module, n) for n in CLASSES}
)


def some(least: int, most: int) -> st.SearchStrategy[str]:
    numbers = st.integers(least, most).filter(bool)
    return st.lists(numbers, min_size=1, max_size=4).map(
        lambda found: ",".join(map(str, found))
    )


def maybe(draw: Callable[..., Any], name: str, values: st.SearchStrategy[str]) -> str:
    return f";{name}={draw(values)}" if draw(st.booleans()) else ""


PLAIN_DAYS = st.lists(st.sampled_from(WEEKDAYS), min_size=1, max_size=7).map(",".join)
NUMBERED = st.lists(
    st.builds(
        lambda number, day: f"{number or ''}{day}",
        st.integers(-5, 5),
        st.sampled_from(WEEKDAYS),
    ),
    min_size=1,
    max_size=3,
).map(",".join)


@st.composite
def rules(draw: Callable[..., Any]) -> str:
    """Any rule but those of which dateutil knows another default than RFC 5545."""
    frequency = draw(st.sampled_from(["DAILY", "WEEKLY", "MONTHLY", "YEARLY"]))
    text = f"FREQ={frequency};INTERVAL={draw(st.integers(1, 5))}"
    text += maybe(draw, "BYMONTH", some(1, 12))
    if frequency != "WEEKLY":
        text += maybe(draw, "BYMONTHDAY", some(-31, 31))
    by_week = ""
    if frequency == "YEARLY":
        text += maybe(draw, "BYYEARDAY", some(-366, 366))
        by_week = maybe(draw, "BYWEEKNO", some(-53, 53))
    is_numbered = frequency in {"MONTHLY", "YEARLY"} and not by_week
    days = NUMBERED if is_numbered else PLAIN_DAYS
    # dateutil takes the whole week, the RFC the weekday of the start.
    text += f"{by_week};BYDAY={draw(days)}" if by_week else maybe(draw, "BYDAY", days)
    if "BYDAY" in text or ("BY" in text and frequency != "WEEKLY"):
        text += maybe(draw, "BYSETPOS", some(-8, 8))
    return f"{text};WKST={draw(st.sampled_from(WEEKDAYS))}"


@given(rules(), DAYS)
def test_days_are_those_of_dateutil(text: str, anchor: date) -> None:
    first = datetime.combine(anchor, datetime.min.time())
    if "WEEKLY" in text and "BYSETPOS" in text:
        # dateutil counts positions in the first week from the start.
        first = datetime.fromordinal(week_of(anchor, text))
    with patch.object(rrule, "datetime", SHORT_CALENDAR):
        every = [day.date() for day in islice(rrule.rrulestr(text, dtstart=first), 400)]
    expected = [day for day in every if anchor < day < END]
    found = takewhile(lambda day: day < END, days_after(parse(text), anchor, anchor))

    wanted = WANTED if len(every) == 400 else None
    assert list(islice(found, wanted)) == expected[:wanted]


def week_of(day: date, text: str) -> int:
    start = WEEKDAYS.index(text[-2:])
    return day.toordinal() - (day.weekday() - start) % 7


@given(rules(), DAYS, st.integers(0, 20_000))
def test_starting_later_finds_the_same_days(
    text: str, anchor: date, later: int
) -> None:
    """Nothing between the anchor and the day is looked at, so the age costs nothing."""
    rule = parse(text)
    after = date.fromordinal(anchor.toordinal() + later)
    near = date.fromordinal(anchor.toordinal() + later // 2)
    expected = [day for day in days_after(rule, anchor, near) if day > after]
    found = list(islice(days_after(rule, anchor, after), len(expected)))

    assert found == expected


NEVER = [
    "FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30",
    "FREQ=DAILY;INTERVAL=7;BYDAY=MO",
    "FREQ=DAILY;BYDAY=MO;BYSETPOS=2",
    "FREQ=WEEKLY;BYDAY=MO;BYSETPOS=7",
    "FREQ=MONTHLY;BYDAY=MO;BYSETPOS=6",
    "FREQ=MONTHLY;INTERVAL=12;BYMONTH=2",
    "FREQ=YEARLY;BYMONTH=4;BYMONTHDAY=31",
    "FREQ=YEARLY;BYWEEKNO=53;BYMONTH=6;BYDAY=MO",
    "FREQ=YEARLY;INTERVAL=9999",
    "FREQ=YEARLY;INTERVAL=2;BYYEARDAY=366",
]


@pytest.mark.parametrize("text", NEVER)
def test_rule_without_days_ends_soon(text: str) -> None:
    anchor = date(2027, 1, 5)
    lines = 0

    def count(frame: FrameType, event: str, argument: Any) -> Any:
        nonlocal lines
        lines += 1
        return count

    sys.settrace(count)
    try:
        found = list(days_after(parse(text), anchor, anchor))
    finally:
        sys.settrace(None)

    assert found == []
    assert lines < 400_000  # dateutil by itself takes millions


KNOWN = {
    # RFC 5545, section 3.8.5.3
    ("FREQ=DAILY;INTERVAL=10", (1997, 9, 2)): [(9, 12), (9, 22), (10, 2)],
    ("FREQ=WEEKLY;INTERVAL=2;WKST=SU;BYDAY=TU,TH", (1997, 9, 2)): [
        (9, 4),
        (9, 16),
        (9, 18),
    ],
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=MO", (1997, 8, 5)): [
        (8, 10),
        (8, 19),
        (8, 24),
    ],
    ("FREQ=WEEKLY;INTERVAL=2;BYDAY=TU,SU;WKST=SU", (1997, 8, 5)): [
        (8, 17),
        (8, 19),
        (8, 31),
    ],
    ("FREQ=MONTHLY;BYDAY=1FR", (1997, 9, 5)): [(10, 3), (11, 7), (12, 5)],
    ("FREQ=MONTHLY;BYMONTHDAY=-3", (1997, 9, 28)): [(10, 29), (11, 28), (12, 29)],
    ("FREQ=MONTHLY;BYDAY=FR;BYMONTHDAY=13", (1998, 2, 13)): [(3, 13), (11, 13)],
    ("FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-2", (1997, 9, 29)): [
        (10, 30),
        (11, 27),
        (12, 30),
    ],
    # What the rule leaves open is as on the first day.
    ("FREQ=MONTHLY", (2026, 1, 31)): [(3, 31), (5, 31), (7, 31)],
    ("FREQ=MONTHLY;BYMONTHDAY=-1", (2026, 1, 31)): [(2, 28), (3, 31), (4, 30)],
    ("FREQ=YEARLY;BYMONTH=6,7", (1997, 6, 10)): [(7, 10)],
    ("FREQ=WEEKLY", (2026, 12, 1)): [(12, 8), (12, 15), (12, 22)],
}


@pytest.mark.parametrize("case", KNOWN, ids=str)
def test_days_of_the_examples(case: tuple[str, tuple[int, int, int]]) -> None:
    text, start = case
    anchor = date(*start)
    expected = [date(anchor.year, *day) for day in KNOWN[case]]

    found = list(islice(days_after(parse(text), anchor, anchor), len(expected)))

    assert found == expected


def test_week_of_a_year_has_the_weekday_of_the_start() -> None:
    anchor = date(1997, 5, 12)
    found = list(
        islice(days_after(parse("FREQ=YEARLY;BYWEEKNO=20"), anchor, anchor), 2)
    )

    assert found == [date(1998, 5, 11), date(1999, 5, 17)]


def test_leap_day_comes_in_leap_years() -> None:
    anchor = date(2096, 2, 29)
    found = list(islice(days_after(parse("FREQ=YEARLY"), anchor, anchor), 2))

    assert found == [date(2104, 2, 29), date(2108, 2, 29)]


@pytest.mark.parametrize("frequency", ["DAILY", "WEEKLY", "MONTHLY", "YEARLY"])
def test_calendar_has_two_ends(frequency: str) -> None:
    rule = parse(f"FREQ={frequency}")

    assert list(days_after(rule, date.max, date.max)) == []
    assert next(days_after(rule, date.min, date.min))


def test_no_rule_is_two_rules() -> None:
    with pytest.raises(RuleError):
        parse("FREQ=DAILY RRULE:FREQ=DAILY")
