"""The OpenAPI document, and the page that shows it."""

from functools import cache
from typing import Any, cast

from django.http import HttpResponse
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView
from rest_framework.request import Request


class SchemaView(SpectacularAPIView):
    """drf-spectacular's, making each form of the document once per process."""

    schema = None  # does not describe itself

    def get(self, request: Request, *args: Any, **kwargs: Any) -> HttpResponse:
        renderer: Any = request.accepted_renderer
        return HttpResponse(
            rendered(renderer.__class__), content_type=renderer.media_type
        )


class DocsView(SpectacularSwaggerSplitView):
    url_name = "schema"


@cache
def rendered(renderer: Any) -> bytes:
    document = cast(Any, SchemaGenerator)().get_schema(request=None, public=True)
    return cast(bytes, renderer().render(document, renderer_context={}))
