"""What the apps add to the document (taskapi.api.openapi has the names)."""

from functools import cache, reduce
from importlib import import_module
from typing import Any

from django.conf import settings


@cache
def modules() -> list[Any]:
    """The apps' modules, which register their drf-spectacular extensions, too."""
    return [import_module(path) for path in settings.OPENAPI_MODULES]


@cache
def merged(name: str) -> dict[str, Any]:
    return reduce(merge, [getattr(module, name, {}) for module in modules()], {})


def merge(first: Any, second: Any) -> Any:
    """Dictionaries key by key and lists one after the other; else `second`."""
    if isinstance(first, dict) and isinstance(second, dict):
        both = {key: merge(first[key], second[key]) for key in first.keys() & second}
        return first | second | both
    if isinstance(first, list) and isinstance(second, list):
        return first + second
    return second
