"""`/api/tasks`: access decides what may be done, operations do it."""

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
