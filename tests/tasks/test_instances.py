"""What rows are made of when no value is given."""

from typing import Any

import pytest
from django.db import models
from django.test.utils import isolate_apps

from taskapi.db.instances import new


@pytest.fixture
def model() -> Any:
    with isolate_apps("tasks"):

        class Row(models.Model):  # noqa: DJ008
            made_by = models.JSONField(default=list)
            place = models.IntegerField(default=3)

            class Meta:
                app_label = "tasks"

        yield Row


def test_rows_share_no_default(model: Any) -> None:
    row = new(model)

    assert (row.made_by, row.place) == (None, 3)
    assert new(model, made_by=["first"]).made_by == ["first"]
