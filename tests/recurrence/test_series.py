"""A series keeps its wall-clock time, ends where its rule ends, and counts down."""

from datetime import UTC, date, datetime, timedelta
from itertools import islice
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tasks.recurrence import rules
from tasks.recurrence.rules import RuleError
from tasks.recurrence.series import (
    COMPLETION,
    DUE,
    Occurrence,
    Recurrence,
    require_occurrence,
)

BERLIN = "Europe/Berlin"


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type, misc]


def series(text: str, zone: str = BERLIN, **options: Any) -> Recurrence:
    return Recurrence(rules.parse(text), zone, **options)


def present(recurrence: Recurrence, at: datetime) -> Occurrence:
    return Occurrence(at, recurrence.local(at))


def upcoming(
    recurrence: Recurrence, at: datetime, now: datetime, size: int = 3
) -> list[datetime]:
    found = recurrence.upcoming(present(recurrence, at), now)
    return [occurrence.at for occurrence, _ in islice(found, size)]


def left(recurrence: Recurrence, at: datetime, now: datetime) -> str | None:
    found = recurrence.next_after_completion(present(recurrence, at), now)
    return found and found[1].rule.text


def test_wall_clock_time_is_kept_over_a_change_of_the_clocks() -> None:
    weekly = series("FREQ=WEEKLY;BYDAY=MO")
    found = upcoming(weekly, utc(2027, 3, 22, 8), utc(2027, 3, 1))

    assert found == [utc(2027, 3, 29, 7), utc(2027, 4, 5, 7), utc(2027, 4, 12, 7)]


def test_time_that_a_day_skips_is_later_on_that_day_only() -> None:
    daily = series("FREQ=DAILY")
    start = present(daily, utc(2027, 3, 27, 1, 30))
    found = [each for each, _ in islice(daily.upcoming(start, utc(2027, 3, 1)), 2)]

    assert [daily.local(each.at).time().hour for each in found] == [3, 2]
    assert [each.local.time().hour for each in found] == [2, 2]
    # Also for the one that follows the moved one.
    after = [each for each, _ in islice(daily.upcoming(found[0], utc(2027, 3, 1)), 1)]
    assert after == found[1:]


def test_time_that_exists_twice_is_the_first() -> None:
    daily = series("FREQ=DAILY")
    found = upcoming(daily, utc(2027, 10, 30, 0, 30), utc(2027, 3, 1), 2)

    assert found == [utc(2027, 10, 31, 0, 30), utc(2027, 11, 1, 1, 30)]


def test_day_that_a_zone_skips_moves_to_the_next() -> None:
    daily = series("FREQ=DAILY", "Pacific/Apia")
    found = upcoming(daily, utc(2011, 12, 29, 19), utc(2011, 12, 1), 2)

    assert found == [utc(2011, 12, 30, 19), utc(2011, 12, 31, 19)]


def test_next_is_after_the_due_date_and_after_now() -> None:
    daily = series("FREQ=DAILY", "UTC")
    due = utc(2027, 1, 10, 9)

    assert upcoming(daily, due, utc(2027, 1, 1), 1) == [utc(2027, 1, 11, 9)]
    assert upcoming(daily, due, utc(2027, 1, 20, 8, 59), 1) == [utc(2027, 1, 20, 9)]
    assert upcoming(daily, due, utc(2027, 1, 20, 9), 1) == [utc(2027, 1, 21, 9)]


def test_interval_is_counted_from_the_due_date_or_from_the_completion() -> None:
    due, now = utc(2027, 1, 10, 9), utc(2027, 1, 15, 20)
    by_due = series("FREQ=DAILY;INTERVAL=3", "UTC", origin=DUE)
    by_completion = series("FREQ=DAILY;INTERVAL=3", "UTC", origin=COMPLETION)

    found = [
        each.next_after_completion(present(each, due), now)
        for each in (by_due, by_completion)
    ]

    assert [each and each[0].at for each in found] == [
        utc(2027, 1, 16, 9),
        utc(2027, 1, 18, 9),
    ]


def test_early_completion_does_not_lead_back_before_the_due_date() -> None:
    daily = series("FREQ=DAILY", "UTC", origin=COMPLETION)
    due = utc(2027, 1, 10, 9)

    found = daily.next_after_completion(present(daily, due), utc(2027, 1, 1))

    assert found
    assert found[0].at == utc(2027, 1, 11, 9)


def test_completion_counts_days_of_the_zone() -> None:
    daily = series("FREQ=DAILY", "Asia/Tokyo", origin=COMPLETION)
    # Already the 16th in Tokyo.
    found = daily.next_after_completion(
        present(daily, utc(2027, 1, 10, 0)), utc(2027, 1, 15, 20)
    )

    assert found
    assert found[0].at == utc(2027, 1, 17, 0)


def test_count_goes_down_with_those_that_passed() -> None:
    due = utc(2027, 1, 10, 9)
    five = series("FREQ=DAILY;COUNT=5", "UTC")

    assert left(five, due, utc(2027, 1, 1)) == "FREQ=DAILY;COUNT=4"
    assert left(five, due, utc(2027, 1, 12, 12)) == "FREQ=DAILY;COUNT=2"
    assert left(five, due, utc(2027, 1, 13, 12)) == "FREQ=DAILY;COUNT=1"
    assert left(five, due, utc(2027, 1, 14, 12)) is None
    assert left(series("FREQ=DAILY;COUNT=1", "UTC"), due, utc(2027, 1, 1)) is None


def test_count_is_not_used_up_by_what_never_passed() -> None:
    two = series("FREQ=DAILY;COUNT=2", "UTC", origin=COMPLETION)

    assert left(two, utc(2027, 1, 1, 9), utc(2027, 6, 1)) == "FREQ=DAILY;COUNT=1"


def test_preview_of_a_count_ends_with_it() -> None:
    three = series("FREQ=DAILY;COUNT=3", "UTC")

    assert len(upcoming(three, utc(2027, 1, 10, 9), utc(2027, 1, 1), 9)) == 2


@pytest.mark.parametrize(
    ("until", "size"),
    [
        ("20270112", 2),
        ("20270112T080000Z", 2),
        ("20270112T075959Z", 1),
        ("20270110", 0),
        ("20260101", 0),
    ],
)
def test_until_is_the_last_day_or_moment(until: str, size: int) -> None:
    daily = series(f"FREQ=DAILY;UNTIL={until}")

    assert len(upcoming(daily, utc(2027, 1, 10, 8), utc(2027, 1, 1), 9)) == size


def test_until_as_a_date_is_a_day_of_the_zone() -> None:
    daily = series("FREQ=DAILY;UNTIL=20270112", "Asia/Tokyo")
    found = upcoming(daily, utc(2027, 1, 9, 20), utc(2027, 1, 1), 9)

    assert found == [utc(2027, 1, 10, 20), utc(2027, 1, 11, 20)]


def test_whole_day_begins_when_the_day_does() -> None:
    daily = series("FREQ=DAILY", "America/Santiago", is_all_day=True)
    found = upcoming(daily, utc(2027, 9, 4, 4), utc(2027, 1, 1), 2)

    # On the 5th the clocks skip the hour after midnight.
    assert found == [utc(2027, 9, 5, 4), utc(2027, 9, 6, 3)]
    shown = [each.astimezone(ZoneInfo("America/Santiago")).hour for each in found]
    assert shown == [1, 0]


@pytest.mark.parametrize(
    ("text", "start", "expected"),
    [
        ("FREQ=MONTHLY", (2027, 1, 31, 9), [(2027, 3, 31), (2027, 5, 31)]),
        ("FREQ=YEARLY", (2028, 2, 29, 9), [(2032, 2, 29), (2036, 2, 29)]),
        ("FREQ=MONTHLY;BYDAY=-1FR", (2027, 1, 29, 9), [(2027, 2, 26), (2027, 3, 26)]),
        ("FREQ=DAILY", (9999, 12, 29, 9), [(9999, 12, 30), (9999, 12, 31)]),
        ("FREQ=YEARLY", (9998, 6, 1, 9), [(9999, 6, 1)]),
    ],
)
def test_days_of_the_calendar(
    text: str, start: tuple[int, ...], expected: list[tuple[int, ...]]
) -> None:
    found = upcoming(series(text, "UTC"), utc(*start), utc(2027, 1, 1), 2)

    assert [each.date() for each in found] == [date(*day) for day in expected]


@pytest.mark.parametrize("zone", ["America/New_York", "Pacific/Kiritimati"])
@pytest.mark.parametrize(
    "at", [datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)]
)
def test_ends_of_the_calendar_are_no_errors(zone: str, at: datetime) -> None:
    daily = series("FREQ=DAILY", zone)
    upcoming(daily, at, utc(2027, 1, 1))

    whole = series("FREQ=DAILY", zone, is_all_day=True)
    upcoming(whole, at, utc(2027, 1, 1))


def test_old_due_date_costs_no_more_than_a_new_one() -> None:
    daily = series("FREQ=WEEKLY;INTERVAL=2", "UTC")
    start = utc(1, 1, 1, 9)
    [found] = upcoming(daily, start, utc(2027, 1, 1), 1)

    assert (found - start) % timedelta(weeks=2) == timedelta(0)
    assert timedelta(0) < found - utc(2027, 1, 1) <= timedelta(weeks=2)


def test_rule_without_another_occurrence_is_refused() -> None:
    never = series("FREQ=DAILY;BYMONTH=2;BYMONTHDAY=30")

    with pytest.raises(RuleError, match="no occurrence within 40 years"):
        require_occurrence(never, present(never, utc(2027, 1, 1)))

    ever = series("FREQ=YEARLY;INTERVAL=40;COUNT=1")
    require_occurrence(ever, present(ever, utc(2027, 1, 1)))
