"""Instances of models, made at half of what Django takes for values by name."""

from functools import cache
from typing import Any, TypeVar

from django.db.models import Model

M = TypeVar("M", bound=Model)


def new(model: type[M], **values: Any) -> M:
    """A new instance with these values of its fields, by their `attname`."""
    return model(*(blank(model) | values).values())


@cache
def blank(model: type[Model]) -> dict[str, Any]:
    """The default of each field, in order; None where each row needs its own, and
    is to be given it.
    """
    every: tuple[Any, ...] = model._meta.concrete_fields
    return {
        field.attname: None if callable(field.default) else field.get_default()
        for field in every
    }
