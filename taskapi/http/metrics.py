"""The metrics of the server, and /metrics, which exposes them to Prometheus.

Labels are route templates and names from short lists: nothing that a client can make up
and nothing about a person.
"""

import os
from functools import cache

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.crypto import constant_time_compare
from django.views.decorators.csrf import csrf_exempt
from prometheus_client import (
    CONTENT_TYPE_PLAIN_0_0_4,
    REGISTRY,
    CollectorRegistry,
    Counter,
    Gauge,
    Histogram,
    generate_latest,
)
from prometheus_client.multiprocess import MultiProcessCollector
from rest_framework.exceptions import AuthenticationFailed, NotAuthenticated

from taskapi.api.errors import error_response
from taskapi.http.health import only_read
from taskapi.outbox import metrics as outbox

METHODS = {"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
BUCKETS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5)


def gauge(name: str, description: str) -> Gauge:
    """The sum over the workers that live."""
    return Gauge(f"taskapi_{name}", description, multiprocess_mode="livesum")


REQUESTS = Counter(
    "taskapi_http_requests_total",
    "Requests answered.",
    ["route", "method", "status"],
)
SECONDS = Histogram(
    "taskapi_http_request_duration_seconds",
    "Time to an answer.",
    ["route"],
    buckets=BUCKETS,
)
IN_FLIGHT = gauge("http_requests_in_flight", "Requests being answered now.")
CACHE_ERRORS = Counter(
    "taskapi_cache_errors_total", "Commands that Redis did not answer, or refused."
)


def count(request: HttpRequest, response: HttpResponse, seconds: float) -> None:
    match = request.resolver_match
    route = match.route if match else "unmatched"
    method = request.method if request.method in METHODS else "other"
    requests, times = labelled(route, method, response.status_code)
    requests.inc()
    times.observe(seconds)


@cache  # as many as the metrics have children
def labelled(route: str, method: str, status: int) -> tuple[Counter, Histogram]:
    return REQUESTS.labels(route, method, status), SECONDS.labels(route)


@csrf_exempt
def metrics(request: HttpRequest) -> HttpResponse:
    """404 without METRICS_TOKEN; 401 for a request that does not send it."""
    token = settings.METRICS_TOKEN
    if not token:
        raise Http404
    sent = request.headers.get("Authorization")
    if sent and is_bearer(sent, token):
        return exposition(request)
    kind = AuthenticationFailed if sent else NotAuthenticated
    response = error_response(401, str(kind.default_detail))
    response["WWW-Authenticate"] = "Bearer"
    return response


def is_bearer(authorization: str, token: str) -> bool:
    scheme, _, sent = authorization.partition(" ")
    is_right = constant_time_compare(sent, token)
    return scheme.lower() == "bearer" and is_right


@only_read
def exposition(request: HttpRequest) -> HttpResponse:
    registry: CollectorRegistry = REGISTRY
    if os.environ.get("PROMETHEUS_MULTIPROC_DIR"):
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    text = generate_latest(registry) + generate_latest(outbox.REGISTRY)
    return HttpResponse(text, CONTENT_TYPE_PLAIN_0_0_4)
