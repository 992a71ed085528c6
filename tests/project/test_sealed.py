"""What clients keep for the server (taskapi.api.sealed)."""

import re
from typing import Any

import pytest
from django.db.models import IntegerField, TextField
from hypothesis import given
from hypothesis import strategies as st

from taskapi.api import sealed
from taskapi.api.pagination import CURSOR, KeysetPagination
from taskapi.api.sealed import SEALED, BadSealError, seal, unseal

VALUES = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda each: st.lists(each, max_size=4) | st.dictionaries(st.text(), each),
)


@given(value=VALUES, bound=st.text(max_size=20))
def test_opens_for_what_it_was_sealed_for(value: Any, bound: str) -> None:
    text = seal(value, bound)

    assert re.fullmatch(SEALED, text)
    assert unseal(text, bound) == value
    assert seal(value, bound) == text
    with pytest.raises(BadSealError):
        unseal(text, f"{bound}.")


@given(place=st.integers(0, 10**6), other=st.sampled_from("Ab0_-é=:. \0"))
def test_no_changed_text_opens(place: int, other: str) -> None:
    value = {"revision": 714_295}
    text = seal(value, "cursor")
    place %= len(text) - 1  # the last character has bits that mean nothing
    changed = text[:place] + other + text[place + 1 :]
    for each in (changed, text[:place], text + other, other):
        if each != text:
            with pytest.raises(BadSealError):
                unseal(each, "cursor")


def test_says_nothing_of_its_value() -> None:
    first, second = (seal(["x", n, "y" * 40], "") for n in (714_295, 714_296))

    assert len(first) == len(second)
    alike = sum(a == b for a, b in zip(first, second, strict=True))
    assert alike < len(first) / 4


def test_opens_with_a_former_key(settings: Any) -> None:
    text = seal("kept", "")
    settings.SECRET_KEY_FALLBACKS = [settings.SECRET_KEY]
    settings.SECRET_KEY = "x" * 50
    assert unseal(text, "") == "kept"
    settings.SECRET_KEY_FALLBACKS = []
    with pytest.raises(BadSealError):
        unseal(text, "")
    assert sealed.seal("kept", "") != text


@pytest.mark.parametrize("values", [(None, 1, 0), ("1", 1, 1), ("x" * 255, 10**18, 0)])
def test_cursors_have_the_form_that_clients_check(values: Any) -> None:
    pages: Any = KeysetPagination()
    pages.field, pages.pk = IntegerField(), IntegerField()
    if isinstance(values[0], str) and len(values[0]) > 1:
        pages.field = TextField()
    pages.question = 1, "/", "", frozenset(), pages.field

    cursor = pages.encode_cursor(*values)

    assert re.fullmatch(CURSOR, cursor)
    value, pk, revision = pages.decode_cursor(cursor)
    assert (str(value), pk, revision) == (str(values[0]), *values[1:])
