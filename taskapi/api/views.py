"""The base class of the API's views."""

from collections.abc import Collection, Mapping
from typing import Any, ClassVar

from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from taskapi.api.errors import PATCH_TYPES
from taskapi.api.preconditions import reject_preconditions
from taskapi.api.query_params import reject_bad_parameters
from taskapi.api.scopes import TokenScopes


class BaseAPIView(APIView):
    """A view that rejects unknown and repeated query parameters, and preconditions that
    it does not evaluate.

    Authentication, permissions and throttles are those of DRF's settings, in DRF's
    order. Views that do not derive from this class work as well.
    """

    query_parameters: tuple[str, ...] = ()
    # The names of the preconditions that an action or method evaluates.
    preconditions: ClassVar[Mapping[str, Collection[str]]] = {}
    # What a personal token needs; see taskapi.api.scopes.
    token_scopes: TokenScopes = {}

    # Allow belongs to a 405, which has it from the exception handler.
    default_response_headers: dict[str, str] = {}

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        query = request.META.get("QUERY_STRING", "")
        meta = request.META
        # DRF answers 405 first, whatever else is wrong.
        if query and hasattr(self, str(request.method).lower()):
            reject_bad_parameters(query, tuple(self.accepted_parameters()))
        if "HTTP_IF_MATCH" in meta or "HTTP_IF_NONE_MATCH" in meta:
            self.reject_ignored_preconditions(request)

    def reject_ignored_preconditions(self, request: Request) -> None:
        method = str(request.method).lower()
        if method != "options" and hasattr(self, method):
            method = "get" if method == "head" else method
            name = getattr(self, "action", None) or method
            evaluated = self.preconditions.get(name, ())
            reject_preconditions(request._request, evaluated)

    def accepted_parameters(self) -> list[str]:
        """The query parameters of this request's action."""
        return list(self.query_parameters)

    def options(self, request: Any, *args: Any, **kwargs: Any) -> Response:
        headers = {"Allow": ", ".join(self.allowed_methods)}
        if "PATCH" in self.allowed_methods:
            headers["Accept-Patch"] = PATCH_TYPES  # RFC 5789 section 3.1
        return Response(status=204, headers=headers)
