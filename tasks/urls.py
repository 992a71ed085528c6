from typing import Any

from django.urls import path

from taskapi.api import path_converters
from tasks.views import HistoryViewSet, TaskViewSet, TrashViewSet
from tasks.views.export import ExportViewSet

__all__ = ["path_converters", "urlpatterns"]  # the former registers `id`

LIST: Any = {"get": "list", "post": "create"}
ONE: Any = {
    "get": "retrieve",
    "put": "update",
    "patch": "partial_update",
    "delete": "destroy",
}

# First what is asked for most, and differs from call to call.
urlpatterns = [
    path("tasks/<id:id>", TaskViewSet.as_view(ONE)),
    path("tasks", TaskViewSet.as_view(LIST)),
    path("tasks/batch", TaskViewSet.as_view({"post": "batch"})),
    path("tasks/export", ExportViewSet.as_view({"get": "export"})),
    path("tasks/stats", TaskViewSet.as_view({"get": "stats"})),
    path("tasks/trash", TrashViewSet.as_view({"get": "list"})),
    path("tasks/trash/<id:id>", TrashViewSet.as_view({"delete": "destroy"})),
    path("tasks/<id:id>/restore", TaskViewSet.as_view({"post": "restore"})),
    path("tasks/<id:id>/history", HistoryViewSet.as_view({"get": "history"})),
]
