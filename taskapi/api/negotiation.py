"""Content negotiation (RFC 9110 section 12.5.1) without formats in the query string."""

from typing import Any, cast

from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.request import Request


class ContentNegotiation(DefaultContentNegotiation):
    def select_renderer(
        self, request: Request, renderers: Any, format_suffix: str | None = None
    ) -> tuple[Any, str]:
        first = renderers[0]
        # What nearly every client sends. DRF would parse the query string first, and
        # answer 400 for a bad one before it knows who asks. An empty header says no
        # more than an absent one does.
        accept = request.META.get("HTTP_ACCEPT", "*/*").strip()
        if accept in {"*/*", first.media_type, ""}:
            return first, first.media_type
        chosen: Any = super().select_renderer(request, renderers, format_suffix)
        return cast(tuple[Any, str], chosen)
