"""OpenTelemetry traces, where OTEL_EXPORTER_OTLP_ENDPOINT is set.

Needs requirements-tracing.txt, which nothing else imports. The instrumentation package
for Django is not used: it asks for the Host outside of our middleware, so a bad one
would be answered without our headers and our error shape, and it keeps query strings.
"""

import os
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
from opentelemetry.instrumentation.redis import RedisInstrumentor
from opentelemetry.propagate import extract
from opentelemetry.sdk.trace import SpanProcessor, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from taskapi.http import logs
from taskapi.http.metrics import METHODS

# How long a worker that stops waits for a collector that is away.
EXPORT_SECONDS = 2
tracer: Any = trace.NoOpTracer()


def start() -> None:
    """Export spans from a thread of each worker; call it after the fork."""
    endpoint = str(settings.OTEL_EXPORTER_OTLP_ENDPOINT).rstrip("/")
    exporter = OTLPSpanExporter(f"{endpoint}/v1/traces", timeout=EXPORT_SECONDS)
    instrument(BatchSpanProcessor(exporter))


def instrument(processor: SpanProcessor) -> None:
    global tracer
    os.environ.setdefault("OTEL_SERVICE_NAME", "taskapi")
    provider = TracerProvider()
    provider.add_span_processor(processor)
    # Statements without their values; commands without their arguments.
    PsycopgInstrumentor().instrument(tracer_provider=provider)
    RedisInstrumentor().instrument(tracer_provider=provider)
    tracer = provider.get_tracer("taskapi")
    logs.get_trace_id = get_trace_id


def get_trace_id() -> str:
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else ""


class TracingMiddleware:
    """A span for each request, around everything, so that its log lines name it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: Any) -> HttpResponse:
        # Unknown methods are no names for spans.
        name = request.method if request.method in METHODS else "HTTP"
        caller = extract(request.headers)
        with tracer.start_as_current_span(
            name, context=caller, kind=trace.SpanKind.SERVER
        ) as span:
            response = self.get_response(request)
            describe(span, name, request, response)
        return response


def describe(span: trace.Span, name: str, request: Any, response: HttpResponse) -> None:
    match = request.resolver_match
    if match:
        span.update_name(f"{name} {match.route}")
        span.set_attribute("http.route", match.route)
    span.set_attribute("http.request.method", request.method)
    span.set_attribute("url.path", request.path)
    span.set_attribute("http.response.status_code", response.status_code)
    span.set_attribute("taskapi.request_id", response["X-Request-Id"])
    if response.status_code >= 500:
        span.set_status(trace.StatusCode.ERROR)
