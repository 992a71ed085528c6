"""The cache of the tests, in a Redis that may be somebody else's, too."""

import os
from itertools import count

from django.conf import settings
from django_redis.cache import RedisCache

numbers = count(1)


class OwnKeysCache(RedisCache):
    """django-redis's cache, but `clear` leaves the keys of others where they are."""

    def clear(self) -> None:
        """Go on with new keys, so that nothing is found. The old ones expire."""
        own = os.environ["TASKAPI_TEST_KEY_PREFIX"]
        self.key_prefix = f"{own}-{next(numbers)}"
        # What the caches of threads to come begin with.
        settings.CACHES["default"]["KEY_PREFIX"] = self.key_prefix
