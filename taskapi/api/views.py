"""The base class of the API's views."""

from typing import Any

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from taskapi.api.query_params import reject_bad_parameters


class BaseAPIView(APIView):
    """A view that rejects unknown and repeated query parameters.

    Authentication, permissions and throttles are those of DRF's settings, in DRF's
    order. Views that do not derive from this class work as well.
    """

    query_parameters: tuple[str, ...] = ()

    # Allow belongs to a 405, which has it from the exception handler.
    default_response_headers: dict[str, str] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        query = request.META.get("QUERY_STRING", "")
        # DRF answers 405 first, whatever else is wrong.
        if query and hasattr(self, str(request.method).lower()):
            reject_bad_parameters(query, tuple(self.accepted_parameters()))

    def accepted_parameters(self) -> list[str]:
        """The query parameters of this request's action."""
        return list(self.query_parameters)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})
