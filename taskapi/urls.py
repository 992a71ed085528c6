from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView

from taskapi.http import health, home, metrics
from taskapi.openapi.views import DocsView, SchemaView

FAVICON = static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")

urlpatterns = [
    path("", home.home, name="home"),
    path("api/auth/", include("accounts.urls")),
    path("api/", include("tasks.urls")),
    path("api/schema", SchemaView.as_view(), name="schema"),
    path("api/docs", DocsView.as_view(), name="docs"),
    path("health", health.health, name="health"),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("metrics", metrics.metrics),
    path("admin", home.admin_redirect),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=FAVICON)),
]

handler400 = "taskapi.api.errors.bad_request"
handler403 = "taskapi.api.errors.permission_denied"
handler404 = "taskapi.api.errors.not_found"
handler500 = "taskapi.api.errors.server_error"
