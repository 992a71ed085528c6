"""Properties of what is read: instants and ids, in any of their spellings."""

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
from django.urls import Resolver404, resolve
from hypothesis import example, given
from hypothesis import strategies as st

from taskapi.api import datetimes

# Far enough from both ends of the calendar for any offset.
FIRST, LAST = datetime(1, 1, 3), datetime(9999, 12, 29)  # noqa: DTZ001
MOMENTS = st.datetimes(FIRST, LAST)
MINUTES = st.integers(-(24 * 60 - 1), 24 * 60 - 1)
CASES = st.sampled_from([str.upper, str.lower, str.title, str.swapcase])


def written(moment: datetime, decimals: str, minutes: int, colon: str) -> str:
    """RFC 3339, with these digits after the point and this offset."""
    local = moment.replace(tzinfo=UTC).astimezone(timezone(timedelta(minutes=minutes)))
    hours, rest = divmod(abs(minutes), 60)
    offset = f"{'-' if minutes < 0 else '+'}{hours:02}{colon}{rest:02}"
    text = local.replace(tzinfo=None, microsecond=0).isoformat()
    return f"{text}.{decimals}{offset}" if decimals else f"{text}{offset}"


@given(MOMENTS, st.text("0123456789", max_size=30), MINUTES, st.sampled_from(["", ":"]))
@example(datetime(2026, 12, 31, 9, tzinfo=UTC), "9" * 9, 60, "")
@example(datetime(2026, 12, 31, 9, tzinfo=UTC), "1234567", -1, ":")
def test_instant_is_cut_to_microseconds_and_never_rounded(
    moment: datetime, decimals: str, minutes: int, colon: str
) -> None:
    found = datetimes.parse(written(moment, decimals, minutes, colon))

    microseconds = int(decimals[:6].ljust(6, "0"))
    assert found == moment.replace(microsecond=microseconds, tzinfo=UTC)
    assert found.tzinfo is UTC


@given(MOMENTS, CASES)
def test_case_of_letters_in_an_instant_does_not_matter(
    moment: datetime, change: object
) -> None:
    text = moment.isoformat() + "Z"

    assert callable(change)
    assert datetimes.parse(change(text)) == moment.replace(tzinfo=UTC)


@given(st.text())
@example("2026-12-31T09:00:00.Z")
@example("2026-12-31T09:00:00+1")
def test_other_text_is_no_instant(text: str) -> None:
    with pytest.raises(ValueError, match="Write a date"):
        datetimes.parse(text)


@given(st.uuids(), st.lists(st.booleans(), min_size=36, max_size=36))
def test_id_in_a_path_has_no_case(pk: UUID, capitals: list[bool]) -> None:
    text = "".join(
        letter.upper() if is_capital else letter
        for letter, is_capital in zip(str(pk), capitals, strict=True)
    )

    assert resolve(f"/api/tasks/{text}").kwargs == {"id": pk}
    assert resolve(f"/api/auth/sessions/{text}").kwargs == {"pk": pk}


@pytest.mark.parametrize("wrap", ["{}", "{{{}}}", "urn:uuid:{}", "{}0", "{}-", " {}"])
def test_only_the_standard_form_of_an_id_is_a_path(wrap: str) -> None:
    text = wrap.format("5d2c8e14-3f6b-4a79-8c0d-9e1f2a3b4c5d")
    if wrap == "{}":
        resolve(f"/api/tasks/{text}")
        return
    with pytest.raises(Resolver404):
        resolve(f"/api/tasks/{text}")
