"""Bodies of requests and responses, one module per resource."""

from tasks.serializers.batch import BatchResultSerializer, BatchSerializer
from tasks.serializers.history import TaskChangeSerializer
from tasks.serializers.stats import StatsSerializer
from tasks.serializers.task import (
    TaskCreateSerializer,
    TaskReplaceSerializer,
    TaskSerializer,
    TaskUpdateSerializer,
    TrashedTaskSerializer,
    VersionSerializer,
)

__all__ = [
    "BatchResultSerializer",
    "BatchSerializer",
    "StatsSerializer",
    "TaskChangeSerializer",
    "TaskCreateSerializer",
    "TaskReplaceSerializer",
    "TaskSerializer",
    "TaskUpdateSerializer",
    "TrashedTaskSerializer",
    "VersionSerializer",
]
