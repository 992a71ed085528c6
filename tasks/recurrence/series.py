"""The occurrences of a series: days of its rule at its wall-clock time in its zone."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime
from itertools import islice, takewhile
from typing import NamedTuple
from zoneinfo import ZoneInfo

from taskapi.api import time_zones
from tasks.recurrence import rules
from tasks.recurrence.days import MAX_YEARS, days_after
from tasks.recurrence.rules import Rule, RuleError

DUE, COMPLETION = "DUE", "COMPLETION"
ORIGINS = (DUE, COMPLETION)


class Occurrence(NamedTuple):
    """`at` is when it is due, in UTC. `local` is what the wall clock shows by the rule,
    without a zone; the clock shows another time if it skips this one that day.
    """

    at: datetime
    local: datetime


@dataclass(frozen=True)
class Recurrence:
    """`origin`: whether the rule goes on from the due date or from the completion."""

    rule: Rule
    time_zone: str
    origin: str = DUE
    is_all_day: bool = False

    @property
    def zone(self) -> ZoneInfo:
        return ZoneInfo(self.time_zone)

    def is_over(self, occurrence: Occurrence) -> bool:
        """Whether UNTIL, which is the last moment or day, has passed by then."""
        until = self.rule.until
        if isinstance(until, datetime):
            return occurrence.at > until
        return until is not None and occurrence.local.date() > until

    def occurrence(self, day: date, like: datetime) -> Occurrence:
        """The one on this day, at the time of `like`; OverflowError."""
        local = datetime.combine(day, like.time())
        if self.is_all_day:
            if day == date.max:
                raise OverflowError("This day has no end.")
            return Occurrence(time_zones.first_moment(day, self.zone), local)
        # With fold 0: the first of two, and with the offset before a gap (section
        # 3.3.5: 02:30 is 03:30 on the day that has none).
        return Occurrence(local.replace(tzinfo=self.zone).astimezone(UTC), local)

    def present(self, at: datetime, local: datetime | None) -> Occurrence:
        """The one that is due then; `local` is what the clock would show by the rule,
        which only a time that was moved does not tell.
        """
        try:
            if local and self.occurrence(local.date(), local).at == at:
                return Occurrence(at, local)
        except OverflowError:
            pass
        return Occurrence(at, self.local(at))

    def pattern(
        self, present: Occurrence, after: datetime, anchor: date | None = None
    ) -> Iterator[Occurrence]:
        """Those later than the present one and than `after`, up to MAX_YEARS later;
        COUNT and UNTIL are not looked at.

        `anchor` is the day from which the rule goes on; the present one's, if None.
        """
        start = anchor or present.local.date()
        moment = max(present.at, after)
        earliest = max(start, self.local(moment).date())
        # The day itself may have an occurrence that is still to come.
        first = earliest if earliest == start else earlier(earliest)
        for day in days_after(self.rule, start, first):
            try:
                occurrence = self.occurrence(day, present.local)
            except OverflowError:
                return
            if occurrence.at > moment:
                yield occurrence
                # A day that the zone skips is the next one, which comes once.
                moment = occurrence.at

    def upcoming(
        self, present: Occurrence, now: datetime, anchor: date | None = None
    ) -> Iterator[tuple[Occurrence, "Recurrence"]]:
        """Those later than the present one and than now, each with what is left of the
        recurrence then: the present one and those that have passed count.
        """
        left = self.rule.count
        if left is not None:
            left -= 1 + self.passed(present, now, anchor)
        for occurrence in self.pattern(present, now, anchor):
            if self.is_over(occurrence) or (left is not None and left < 1):
                return
            rule = self.rule if left is None else self.rule.with_count(left)
            yield occurrence, replace(self, rule=rule)
            left = None if left is None else left - 1

    def passed(self, present: Occurrence, now: datetime, anchor: date | None) -> int:
        """How many come after the present one until now, COUNT at most."""
        if anchor is not None:
            return 0
        between = self.pattern(present, present.at)
        passed = takewhile(lambda each: each.at <= now, between)
        return sum(1 for _ in islice(passed, self.rule.count))

    def local(self, at: datetime) -> datetime:
        """What the clock shows, without a zone; it stops at the calendar's ends."""
        try:
            return at.astimezone(self.zone).replace(tzinfo=None)
        except OverflowError:
            return at.replace(tzinfo=None)

    def next_after_completion(
        self, present: Occurrence, now: datetime
    ) -> tuple[Occurrence, "Recurrence"] | None:
        anchor = self.anchor_of_completion(now)
        return next(self.upcoming(present, now, anchor), None)

    def anchor_of_completion(self, now: datetime) -> date | None:
        """The day from which the rule goes on if the present one is completed now."""
        return self.local(now).date() if self.origin == COMPLETION else None


def parse_rule(text: str) -> Rule:
    return rules.parse(text)


def require_occurrence(recurrence: Recurrence, present: Occurrence) -> None:
    """RuleError for a rule whose days do not come again."""
    if next(recurrence.pattern(present, present.at), None) is None:
        hint = f"The rule has no occurrence within {MAX_YEARS} years after dueDate."
        raise RuleError(hint)


def earlier(day: date) -> date:
    return date.fromordinal(max(day.toordinal() - 1, 1))
