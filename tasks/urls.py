from typing import Any

from django.urls import path

from taskapi.api import path_converters
from tasks.views import HistoryViewSet, TaskViewSet, TrashViewSet
from tasks.views.comments import CommentViewSet
from tasks.views.export import ExportViewSet
from tasks.views.labels import LabelViewSet
from tasks.views.members import (
    AcceptViewSet,
    DeclineViewSet,
    InvitationViewSet,
    MemberViewSet,
)
from tasks.views.people import PeopleView
from tasks.views.placement import PlacementViewSet
from tasks.views.projects import (
    ProjectHistoryViewSet,
    ProjectViewSet,
    TrashedProjectViewSet,
)
from tasks.views.recurrence import RecurrenceViewSet
from tasks.views.webhooks import DeliveryViewSet, WebhookViewSet

__all__ = ["path_converters", "urlpatterns"]  # the former registers `id`

LIST: Any = {"get": "list", "post": "create"}
ONE: Any = {
    "get": "retrieve",
    "put": "update",
    "patch": "partial_update",
    "delete": "destroy",
}
CHANGE: Any = {"patch": "partial_update", "delete": "destroy"}
WITHOUT_PUT: Any = {"get": "retrieve", **CHANGE}
TRASH: Any = {"get": "list", "delete": "empty"}
TRASHED: Any = {"get": "retrieve", "delete": "destroy"}

# First what is asked for most, and differs from call to call.
urlpatterns = [
    path("tasks/<id:id>", TaskViewSet.as_view(ONE)),
    path("tasks", TaskViewSet.as_view(LIST)),
    path("tasks/batch", TaskViewSet.as_view({"post": "batch"})),
    path("tasks/export", ExportViewSet.as_view({"get": "export"})),
    path("tasks/stats", TaskViewSet.as_view({"get": "stats"})),
    path("tasks/trash", TrashViewSet.as_view(TRASH)),
    path("tasks/trash/<id:id>", TrashViewSet.as_view(TRASHED)),
    path("tasks/<id:id>/restore", TaskViewSet.as_view({"post": "restore"})),
    path("tasks/<id:id>/move", PlacementViewSet.as_view({"post": "move"})),
    path("tasks/<id:id>/copy", PlacementViewSet.as_view({"post": "copy"})),
    path("tasks/<id:id>/skip", RecurrenceViewSet.as_view({"post": "skip"})),
    path(
        "tasks/<id:id>/occurrences", RecurrenceViewSet.as_view({"get": "occurrences"})
    ),
    path("labels", LabelViewSet.as_view(LIST)),
    path("labels/<id:id>", LabelViewSet.as_view(WITHOUT_PUT)),
    path("tasks/<id:id>/history", HistoryViewSet.as_view({"get": "history"})),
    path("projects", ProjectViewSet.as_view(LIST)),
    path("projects/trash", TrashedProjectViewSet.as_view({"get": "list"})),
    path(
        "projects/trash/<id:id>", TrashedProjectViewSet.as_view({"delete": "destroy"})
    ),
    path("projects/<id:id>", ProjectViewSet.as_view(WITHOUT_PUT)),
    path("projects/<id:id>/restore", ProjectViewSet.as_view({"post": "restore"})),
    path("projects/<id:id>/history", ProjectHistoryViewSet.as_view({"get": "history"})),
    path("projects/<id:id>/members", MemberViewSet.as_view({"get": "list"})),
    path("projects/<id:id>/members/<id:user_id>", MemberViewSet.as_view(CHANGE)),
    path("projects/<id:id>/invitations", InvitationViewSet.as_view(LIST)),
    path(
        "projects/<id:id>/invitations/<id:invitation_id>",
        InvitationViewSet.as_view({"delete": "destroy"}),
    ),
    path("invitations/accept", AcceptViewSet.as_view({"post": "accept"})),
    path("invitations/decline", DeclineViewSet.as_view({"post": "decline"})),
    path("tasks/<id:id>/comments", CommentViewSet.as_view(LIST)),
    path("tasks/<id:id>/comments/<id:comment_id>", CommentViewSet.as_view(WITHOUT_PUT)),
    path("webhooks", WebhookViewSet.as_view(LIST)),
    path("webhooks/<id:id>", WebhookViewSet.as_view(WITHOUT_PUT)),
    path("webhooks/<id:id>/test", WebhookViewSet.as_view({"post": "test"})),
    path(
        "webhooks/<id:id>/rotate-secret",
        WebhookViewSet.as_view({"post": "rotate_secret"}),
    ),
    path("webhooks/<id:id>/deliveries", DeliveryViewSet.as_view({"get": "list"})),
    path(
        "webhooks/<id:id>/deliveries/<id:delivery_id>/redeliver",
        DeliveryViewSet.as_view({"post": "redeliver"}),
    ),
    path("people", PeopleView.as_view()),
]
