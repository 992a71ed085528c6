"""The names of this installation's keys in Redis."""

from django.conf import settings


def prefixed(name: str) -> str:
    """`name` below KEY_PREFIX, so that several installations can share one Redis."""
    return f"{settings.CACHES['default'].get('KEY_PREFIX', 'taskapi')}:{name}"
