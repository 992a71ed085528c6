from django.contrib import admin
from django.templatetags.static import static
from django.urls import include, path
from django.views.generic import RedirectView
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerSplitView

from taskapi import health

FAVICON = static("drf_spectacular_sidecar/swagger-ui-dist/favicon-32x32.png")

urlpatterns = [
    path("api/auth/", include("accounts.urls")),
    path("api/", include("tasks.urls")),
    path("api/schema", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs", SpectacularSwaggerSplitView.as_view(url_name="schema")),
    path("health", health.health),
    path("livez", health.livez),
    path("readyz", health.readyz),
    path("admin/", admin.site.urls),
    path("favicon.ico", RedirectView.as_view(url=FAVICON)),
]

handler400 = "taskapi.errors.bad_request"
handler403 = "taskapi.errors.permission_denied"
handler404 = "taskapi.errors.not_found"
handler500 = "taskapi.errors.server_error"
