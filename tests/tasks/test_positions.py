"""Positions: texts between others, in the order of their bytes."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tasks.positions import last_position, position_between, positions_between

NOW = datetime(2026, 11, 30, tzinfo=UTC)
IDS = [UUID(int=n) for n in range(5)]


@given(st.lists(st.integers(0, 10**6), max_size=60))
def test_there_is_always_a_place_between_two(choices: list[int]) -> None:
    positions = [last_position(pk, NOW, index) for index, pk in enumerate(IDS)]
    for choice in choices:
        at = choice % len(positions)
        low = positions[at - 1] if at else ""
        made = position_between(low, positions[at])
        assert low < made < positions[at]
        assert made[-1] != "0"
        positions.insert(at, made)

    assert positions == sorted(positions)
    assert len(set(positions)) == len(positions)


def test_five_moves_to_one_place_take_one_more_character() -> None:
    position = last_position(IDS[0], NOW)
    for _ in range(500):
        position = position_between("", position)

    assert len(position) < 150


@pytest.mark.parametrize(("low", "high"), [("b", "a"), ("a", "a")])
def test_order_that_is_none_is_refused(low: str, high: str) -> None:
    with pytest.raises(ValueError, match="is not before"):
        position_between(low, high)


def test_new_positions_come_after_old_ones() -> None:
    old = last_position(IDS[0], NOW)
    new = last_position(IDS[0], NOW.replace(year=2027))

    assert old < last_position(IDS[1], NOW, index=1) < new
    even = positions_between(old, new, 1000)
    assert even == sorted(set(even))
    assert old < even[0]
    assert even[-1] < new
    assert max(map(len, even)) < len(old) + 4
