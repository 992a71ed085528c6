"""Metrics of accounts."""

from prometheus_client import Counter

LIMIT_HITS = Counter(
    "taskapi_limit_hits_total", "Requests beyond a limit, by its name.", ["limit"]
)
