"""What of RFC 5545 a rule may say."""

import re
from datetime import UTC, date, datetime

import pytest

from tasks.recurrence.rules import RuleError, parse

ACCEPTED = [
    "FREQ=DAILY",
    "FREQ=WEEKLY;INTERVAL=2;BYDAY=MO,FR;WKST=SU",
    "FREQ=MONTHLY;BYDAY=-1FR;COUNT=5",
    "FREQ=MONTHLY;BYDAY=MO,TU,WE,TH,FR;BYSETPOS=-1",
    "FREQ=YEARLY;BYMONTH=2;BYMONTHDAY=29",
    "FREQ=YEARLY;BYWEEKNO=20;BYDAY=MO",
    "FREQ=YEARLY;BYYEARDAY=-1,100;UNTIL=20301231T235959Z",
]
REFUSED = {
    "": "Write a rule such as",
    "weekly": "Write a rule such as",
    "BYDAY=MO": "FREQ is one of DAILY",
    "FREQ=HOURLY": "FREQ is one of DAILY",
    "FREQ=SECONDLY;COUNT=2": "FREQ is one of DAILY",
    "FREQ=DAILY;FREQ=DAILY": "FREQ is there twice",
    "FREQ=DAILY;": "Write a rule such as",
    "FREQ=DAILY;COUNT=0": "COUNT is a number from 1 to 9999",
    "FREQ=DAILY;COUNT=-1": "COUNT is a number from 1 to 9999",
    "FREQ=DAILY;COUNT=10000": "COUNT is a number from 1 to 9999",
    "FREQ=DAILY;COUNT=٣": "COUNT is a number from 1 to 9999",
    "FREQ=DAILY;INTERVAL=0": "INTERVAL is a number from 1 to 9999",
    "FREQ=DAILY;INTERVAL=1.5": "INTERVAL is a number from 1 to 9999",
    "FREQ=DAILY;COUNT=2;UNTIL=20300101": "COUNT or UNTIL, not both",
    "FREQ=DAILY;UNTIL=20300101T000000": "UNTIL is a date",
    "FREQ=DAILY;UNTIL=20300230": "UNTIL is a date",
    "FREQ=DAILY;UNTIL=20300101T250000Z": "UNTIL is a date",
    "FREQ=DAILY;UNTIL=2030-01-01": "UNTIL is a date",
    "FREQ=DAILY;BYHOUR=9": "the time of day is that of dueDate",
    "FREQ=DAILY;BYMINUTE=0": "the time of day is that of dueDate",
    "FREQ=DAILY;BYEASTER=0": "A rule has the parts",
    "FREQ=DAILY;X-A=1": "A rule has the parts",
    "DTSTART:20260101\nRRULE:FREQ=DAILY": "A rule has the parts",
    "FREQ=DAILY;DTSTART=20260101": "A rule has the parts",
    "FREQ=DAILY\nRRULE:FREQ=WEEKLY": "FREQ is one of DAILY",
    "FREQ=YEARLY;BYMONTH=13": "BYMONTH is a list of numbers from 1 to 12.",
    "FREQ=YEARLY;BYMONTH=-1": "BYMONTH is a list",
    "FREQ=MONTHLY;BYMONTHDAY=0": "BYMONTHDAY is a list",
    "FREQ=MONTHLY;BYMONTHDAY=32": "from 1 to 31 or -31 to -1",
    "FREQ=MONTHLY;BYMONTHDAY=": "BYMONTHDAY is a list",
    "FREQ=MONTHLY;BYMONTHDAY=1,": "BYMONTHDAY is a list",
    "FREQ=YEARLY;BYYEARDAY=367": "BYYEARDAY is a list",
    "FREQ=YEARLY;BYWEEKNO=54": "BYWEEKNO is a list",
    "FREQ=MONTHLY;BYDAY=XX": "BYDAY is a list of days",
    "FREQ=MONTHLY;BYDAY=0MO": "BYDAY is a list of days",
    "FREQ=YEARLY;BYDAY=54MO": "BYDAY is a list of days",
    "FREQ=WEEKLY;BYDAY=1MO": "A number in BYDAY goes with",
    "FREQ=YEARLY;BYWEEKNO=1;BYDAY=1MO": "does not go with BYWEEKNO",
    "FREQ=WEEKLY;BYMONTHDAY=1": "BYMONTHDAY does not go with FREQ=WEEKLY",
    "FREQ=MONTHLY;BYYEARDAY=1": "BYYEARDAY does not go with FREQ=MONTHLY",
    "FREQ=MONTHLY;BYWEEKNO=1": "BYWEEKNO does not go with FREQ=MONTHLY",
    "FREQ=MONTHLY;BYSETPOS=1": "BYSETPOS needs another part",
    "FREQ=DAILY;WKST=XX": "WKST is one of MO",
    "FREQ=DAILY;" + "BYMONTH=1," * 60: "A rule has at most 500 characters",
}


@pytest.mark.parametrize("text", ACCEPTED)
def test_rule_is_kept_as_it_was_sent(text: str) -> None:
    assert parse(text).text == text
    assert parse(f"rrule:{text.lower()}").text == text


@pytest.mark.parametrize("text", REFUSED)
def test_bad_rule_is_told_what_is_wrong_with_it(text: str) -> None:
    with pytest.raises(RuleError, match=re.escape(REFUSED[text])) as error:
        parse(text)

    assert str(error.value).endswith(".")


def test_parts_are_read() -> None:
    rule = parse("FREQ=MONTHLY;BYDAY=2TU,-1FR,MO;BYMONTH=3,1;BYSETPOS=-1;WKST=SU")

    assert rule.days == ((-1, 4), (0, 0), (2, 1))
    assert rule.lists == {"BYMONTH": (1, 3), "BYSETPOS": (-1,)}
    assert (rule.interval, rule.count, rule.until, rule.week_start) == (
        1,
        None,
        None,
        6,
    )


def test_until_is_a_day_or_a_moment() -> None:
    assert parse("FREQ=DAILY;UNTIL=20301231").until == date(2030, 12, 31)
    moment = datetime(2030, 12, 31, 17, tzinfo=UTC)
    assert parse("FREQ=DAILY;UNTIL=20301231T170000Z").until == moment


def test_count_is_replaced_where_it_is() -> None:
    rule = parse("FREQ=DAILY;COUNT=10;INTERVAL=2").with_count(9)

    assert (rule.text, rule.count) == ("FREQ=DAILY;COUNT=9;INTERVAL=2", 9)
