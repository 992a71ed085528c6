"""`/api/tasks`: thin; what may be done is decided in models and operations."""

from tasks.views.base import TaskView, validator
from tasks.views.history import HistoryViewSet
from tasks.views.tasks import TaskViewSet
from tasks.views.trash import TrashViewSet

__all__ = [
    "HistoryViewSet",
    "TaskView",
    "TaskViewSet",
    "TrashViewSet",
    "validator",
]
