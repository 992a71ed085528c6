"""Parses the rules of RFC 5545 (section 3.3.10) that a series of tasks may have.

A task has the time of day of its due date, so a rule is DAILY or coarser and says
nothing of hours.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime

MAX_LENGTH = 500
MAX_NUMBER = 9999  # of COUNT and INTERVAL
FREQUENCIES = ("DAILY", "WEEKLY", "MONTHLY", "YEARLY")
WEEKDAYS = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
# The greatest value of each list; all but months may be negative: from the end.
LISTS = {
    "BYMONTH": 12,
    "BYWEEKNO": 53,
    "BYYEARDAY": 366,
    "BYMONTHDAY": 31,
    "BYSETPOS": 366,
}
PARTS = ("FREQ", "INTERVAL", "COUNT", "UNTIL", *LISTS, "BYDAY", "WKST")
# Where a part has no meaning (the table of section 3.3.10).
ONLY_WITH = {
    "BYWEEKNO": ("YEARLY",),
    "BYYEARDAY": ("YEARLY",),
    "BYMONTHDAY": ("DAILY", "MONTHLY", "YEARLY"),
}
PREFIX = "RRULE:"
NUMBER = re.compile("[0-9]{1,4}", re.ASCII)
SIGNED = re.compile("[+-]?[0-9]{1,3}", re.ASCII)
BYDAY = re.compile(f"([+-]?[0-9]{{1,2}})?({'|'.join(WEEKDAYS)})", re.ASCII)
UNTIL = re.compile(r"([0-9]{8})(T[0-9]{6}(Z?))?", re.ASCII)
COUNT = re.compile(r"(?<![^;])COUNT=[0-9]+", re.ASCII)


class RuleError(ValueError):
    """A rule that a task cannot have; its text says why, in a sentence."""


@dataclass(frozen=True)
class Rule:
    """`text` is the rule as it was sent, in capitals. `days` are pairs of a number, 0
    for every one, and a weekday, Monday is 0.
    """

    text: str
    frequency: str
    interval: int = 1
    count: int | None = None
    until: date | datetime | None = None
    lists: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    days: tuple[tuple[int, int], ...] = ()
    week_start: int = 0

    def with_count(self, count: int) -> "Rule":
        """The same rule with another COUNT; it has one."""
        text = COUNT.sub(f"COUNT={count}", self.text)
        return replace(self, text=text, count=count)


def parse(text: str) -> Rule:
    """RuleError, in a sentence. Letters are read in either case (section 2)."""
    if len(text) > MAX_LENGTH:
        raise RuleError(f"A rule has at most {MAX_LENGTH} characters.")
    text = text.upper().removeprefix(PREFIX)
    parts = split(text)
    if parts.get("FREQ") not in FREQUENCIES:
        raise RuleError(f"FREQ is one of {', '.join(FREQUENCIES)}.")
    if "COUNT" in parts and "UNTIL" in parts:
        raise RuleError("A rule has COUNT or UNTIL, not both.")
    rule = Rule(
        text,
        parts["FREQ"],
        interval=parse_number("INTERVAL", parts.get("INTERVAL", "1")),
        count=parse_number("COUNT", parts["COUNT"]) if "COUNT" in parts else None,
        until=parse_until(parts["UNTIL"]) if "UNTIL" in parts else None,
        lists={name: parse_list(name, parts[name]) for name in LISTS if name in parts},
        days=parse_days(parts["BYDAY"]) if "BYDAY" in parts else (),
        week_start=parse_week_start(parts.get("WKST", "MO")),
    )
    require_meaning(rule)
    return rule


def split(text: str) -> dict[str, str]:
    parts: dict[str, str] = {}
    for each in text.split(";"):
        name, equals, value = each.partition("=")
        if not equals:
            raise RuleError("Write a rule such as FREQ=WEEKLY;BYDAY=MO,TH.")
        if name in {"BYHOUR", "BYMINUTE", "BYSECOND"}:
            raise RuleError(f"{name}: the time of day is that of dueDate.")
        if name not in PARTS:
            raise RuleError(f"A rule has the parts {', '.join(PARTS)} only.")
        if name in parts:
            raise RuleError(f"{name} is there twice.")
        parts[name] = value
    return parts


def parse_number(name: str, value: str) -> int:
    number = int(value) if NUMBER.fullmatch(value) else 0
    if not number:
        raise RuleError(f"{name} is a number from 1 to {MAX_NUMBER}.")
    return number


def parse_until(value: str) -> date | datetime:
    """A date, or a datetime in UTC."""
    match = UNTIL.fullmatch(value)
    try:
        if match and match[3]:
            moment = datetime.strptime(value, "%Y%m%dT%H%M%SZ")  # noqa: DTZ007
            return moment.replace(tzinfo=UTC)
        if match and not match[2]:
            return date.fromisoformat(value)
    except ValueError:
        pass
    raise RuleError("UNTIL is a date, as 20271231, or in UTC, as 20271231T170000Z.")


def parse_list(name: str, value: str) -> tuple[int, ...]:
    most = LISTS[name]
    numbers = {int(each) if SIGNED.fullmatch(each) else 0 for each in value.split(",")}
    least = 1 if name == "BYMONTH" else -most
    if not all(number and least <= number <= most for number in numbers):
        negative = "" if name == "BYMONTH" else f" or -{most} to -1"
        raise RuleError(f"{name} is a list of numbers from 1 to {most}{negative}.")
    return tuple(sorted(numbers))


def parse_days(value: str) -> tuple[tuple[int, int], ...]:
    matches = [BYDAY.fullmatch(each) for each in value.split(",")]
    days = {(int(m[1] or 0), WEEKDAYS.index(m[2])) for m in matches if m}
    is_numbered = [m and m[1] and not 1 <= abs(int(m[1])) <= 53 for m in matches]
    if not all(matches) or any(is_numbered):
        raise RuleError("BYDAY is a list of days such as MO, 2TU or -1FR.")
    return tuple(sorted(days))


def parse_week_start(value: str) -> int:
    if value not in WEEKDAYS:
        raise RuleError(f"WKST is one of {', '.join(WEEKDAYS)}.")
    return WEEKDAYS.index(value)


def require_meaning(rule: Rule) -> None:
    """RuleError for parts that do not go together."""
    for name, frequencies in ONLY_WITH.items():
        if name in rule.lists and rule.frequency not in frequencies:
            raise RuleError(f"{name} does not go with FREQ={rule.frequency}.")
    if any(number for number, _ in rule.days):
        require_numbers(rule)
    if "BYSETPOS" in rule.lists and not rule.days and len(rule.lists) == 1:
        raise RuleError("BYSETPOS needs another part that begins with BY.")


def require_numbers(rule: Rule) -> None:
    if rule.frequency not in {"MONTHLY", "YEARLY"}:
        hint = "A number in BYDAY goes with FREQ=MONTHLY and FREQ=YEARLY only."
        raise RuleError(hint)
    if "BYWEEKNO" in rule.lists:
        raise RuleError("A number in BYDAY does not go with BYWEEKNO.")
