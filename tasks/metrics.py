"""Metrics of tasks."""

from prometheus_client import Counter

CREATED = Counter("taskapi_tasks_created_total", "Tasks made.")
LOOKUPS = Counter(
    "taskapi_cache_lookups_total", "Lists looked for in the cache.", ["result"]
)
HITS, MISSES = LOOKUPS.labels("hit"), LOOKUPS.labels("miss")
