"""The base class of the API's views."""

from typing import Any

from rest_framework.renderers import BaseRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from accounts.reading import Asker, Reading
from taskapi.api.query_params import check_parameters, query_of


class StrictView(APIView):
    """A view that refuses query parameters it does not know, and ones sent twice."""

    query_parameters: tuple[str, ...] = ()

    # Neither by suffix, nor by the query.
    format_kwarg = None

    def perform_content_negotiation(
        self, request: Request, force: bool = False
    ) -> tuple[BaseRenderer, str]:
        first: Any = self.renderer_classes[0]
        accepted = request._request.META.get("HTTP_ACCEPT", "*/*")
        # What nearly every client sends; the rest is for DRF to weigh.
        if accepted == "*/*" or accepted == first.media_type:
            return first(), first.media_type
        return super().perform_content_negotiation(request, force)

    @property
    def default_response_headers(self) -> dict[str, str]:
        # Allow belongs to a 405, which has it from the exception handler.
        return {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # All that DRF does here, but for formats by suffix, and versions.
        negotiated = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = negotiated
        self.perform_authentication(request)
        self.check_permissions(request)
        self.check_throttles(request)
        query = query_of(request)
        # DRF answers 405, whatever else is wrong.
        if query and hasattr(self, str(request._request.method).lower()):
            check_parameters(query, tuple(self.accepted_parameters()))

    def reading(self, asker: Asker) -> Reading | None:
        """What to read along with the session of a caller who says to be that user."""
        return None

    def accepted_parameters(self) -> list[str]:
        """What this request's query may hold."""
        return list(self.query_parameters)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})
