"""Bodies of requests and responses, one module per resource."""

from tasks.serializers.batch import BatchResultSerializer, BatchSerializer, locate
from tasks.serializers.comments import (
    CommentCreateSerializer,
    CommentSerializer,
    CommentUpdateSerializer,
)
from tasks.serializers.history import (
    ProjectChangeSerializer,
    TaskChangeSerializer,
    hide_erased,
    hide_past,
)
from tasks.serializers.labels import (
    LabelCreateSerializer,
    LabelSerializer,
    LabelUpdateSerializer,
)
from tasks.serializers.people import PeopleSerializer
from tasks.serializers.projects import (
    InvitationCreateSerializer,
    InvitationDeclineSerializer,
    InvitationListSerializer,
    InvitationSerializer,
    InvitationTokenSerializer,
    MemberListSerializer,
    MemberSerializer,
    MemberUpdateSerializer,
    ProjectCreateSerializer,
    ProjectSerializer,
    ProjectUpdateSerializer,
    TrashedProjectSerializer,
)
from tasks.serializers.recurrence import OccurrencesSerializer
from tasks.serializers.stats import StatsSerializer
from tasks.serializers.task import (
    EmptySerializer,
    TaskCopySerializer,
    TaskCreateSerializer,
    TaskMoveSerializer,
    TaskReplaceSerializer,
    TaskSerializer,
    TaskUpdateSerializer,
    TrashedTaskSerializer,
    VersionSerializer,
    make_move,
)
from tasks.serializers.webhooks import (
    DeliverySerializer,
    NewWebhookSerializer,
    WebhookCreateSerializer,
    WebhookListSerializer,
    WebhookSerializer,
    WebhookUpdateSerializer,
)

__all__ = [
    "BatchResultSerializer",
    "BatchSerializer",
    "CommentCreateSerializer",
    "CommentSerializer",
    "CommentUpdateSerializer",
    "DeliverySerializer",
    "EmptySerializer",
    "InvitationCreateSerializer",
    "InvitationDeclineSerializer",
    "InvitationListSerializer",
    "InvitationSerializer",
    "InvitationTokenSerializer",
    "LabelCreateSerializer",
    "LabelSerializer",
    "LabelUpdateSerializer",
    "MemberListSerializer",
    "MemberSerializer",
    "MemberUpdateSerializer",
    "NewWebhookSerializer",
    "OccurrencesSerializer",
    "PeopleSerializer",
    "ProjectChangeSerializer",
    "ProjectCreateSerializer",
    "ProjectSerializer",
    "ProjectUpdateSerializer",
    "StatsSerializer",
    "TaskChangeSerializer",
    "TaskCopySerializer",
    "TaskCreateSerializer",
    "TaskMoveSerializer",
    "TaskReplaceSerializer",
    "TaskSerializer",
    "TaskUpdateSerializer",
    "TrashedProjectSerializer",
    "TrashedTaskSerializer",
    "VersionSerializer",
    "WebhookCreateSerializer",
    "WebhookListSerializer",
    "WebhookSerializer",
    "WebhookUpdateSerializer",
    "hide_erased",
    "hide_past",
    "locate",
    "make_move",
]
