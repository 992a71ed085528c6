"""`/` describes this server and links to its pages; `/admin` redirects to `/admin/`."""

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, JsonResponse
from django.shortcuts import render
from django.urls import reverse

from taskapi.http.health import only_read

JSON, HTML = "application/json", "text/html"
DESCRIPTION = "Task management: no write is lost, doubled or silently changed."
LINKS = {"docs": "docs", "schema": "schema", "admin": "admin:index", "health": "health"}


@only_read
def home(request: HttpRequest) -> HttpResponse:
    about = {
        "name": settings.SPECTACULAR_SETTINGS["TITLE"],
        "version": settings.SPECTACULAR_SETTINGS["VERSION"],
        "description": DESCRIPTION,
        "links": {name: reverse(route) for name, route in LINKS.items()},
    }
    if prefers_html(request):
        response = render(request, "taskapi/home.html", about)
    else:
        response = JsonResponse(about)
    response["Vary"] = "Accept"
    return response


def prefers_html(request: HttpRequest) -> bool:
    try:
        return request.get_preferred_type([JSON, HTML]) == HTML
    except ValueError:  # the header names a charset that does not exist
        return False


@only_read
def admin_redirect(request: HttpRequest) -> HttpResponse:
    query = request.META.get("QUERY_STRING")
    return HttpResponseRedirect(reverse("admin:index") + (f"?{query}" if query else ""))
