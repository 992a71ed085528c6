import pytest

from accounts.reading import Slot, Statement


@pytest.mark.django_db
@pytest.mark.parametrize("number", [0, 1, 2])
def test_statement_takes_any_number_of_values(number: int) -> None:
    names = "ab"[:number]
    sql = "SELECT " + ", ".join(["1", *["CAST(%s AS int)"] * number])
    values = {name: place for place, name in enumerate(names, 2)}

    statement = Statement((sql, [*map(Slot, names)]), None)

    assert [*map(tuple, statement.rows(values))] == [(1, 2, 3)[: number + 1]]
