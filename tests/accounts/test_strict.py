import tracemalloc

import pytest
from rest_framework.serializers import CharField, IntegerField, ValidationError

from taskapi.api.query_params import parse_query
from taskapi.api.serializers import StrictSerializer


class Coat(StrictSerializer):
    """One field with each of what DRF lets a field have."""

    size = IntegerField(source="number", max_value=60)
    colour = CharField(default="red")
    label = CharField(required=False)
    made = CharField(read_only=True)

    read_only_echoes = frozenset({"id"})

    def validate_size(self, value: int) -> int:
        if value % 2:
            raise ValidationError("Even sizes only.", "odd")
        return value + 100


def test_values_are_what_the_fields_and_their_methods_make_of_them() -> None:
    sent = {"size": 48, "made": "in Spain", "id": "ignored"}

    assert Coat().run_validation(sent) == {"number": 148, "colour": "red"}


@pytest.mark.parametrize(
    ("sent", "codes"),
    [
        ({}, {"size": "required"}),
        ({"size": 47}, {"size": "odd"}),
        ({"size": 62, "label": ""}, {"size": "max_value", "label": "blank"}),
        ({"size": 48, "smell": 1, "made": 1}, {"smell": "unknown"}),
        (["size"], {"non_field_errors": "invalid"}),
        (None, None),
    ],
)
def test_refusal_tells_all_that_is_wrong(
    sent: object, codes: dict[str, str] | None
) -> None:
    with pytest.raises(ValidationError) as refused:
        Coat().run_validation(sent)

    found = refused.value.get_codes()
    wanted = codes and {name: [code] for name, code in codes.items()}
    assert found == (wanted or ["null"])


@pytest.mark.full
def test_query_strings_take_no_more_memory_than_a_few_requests() -> None:
    tracemalloc.start()
    try:
        for number in range(200):
            parse_query("&".join(f"{number}x{field}" for field in range(999)))
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert kept < 20_000_000
