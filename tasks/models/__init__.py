"""Tasks, projects and what is stored about them; every rule about one task is here."""

from tasks.models.choices import Priority, Role, Status
from tasks.models.comments import Comment, comment_etag
from tasks.models.idempotency import IdempotencyRecord
from tasks.models.invitations import Invitation, RefusedAddress
from tasks.models.labels import Label, TaskLabel, label_key
from tasks.models.projects import (
    HIDDEN_PROJECT,
    FormerMember,
    Membership,
    Project,
    ProjectChange,
    inbox_id,
)
from tasks.models.task_change import TaskChange
from tasks.models.tasks import (
    ADMIN_INDEX_PREDICATE,
    LIVE,
    TRASHED,
    Task,
    TaskQuerySet,
    etag,
)
from tasks.models.tombstones import Kind, Tombstone
from tasks.models.trash import EmptiedTrash
from tasks.models.usage import SpaceUsage
from tasks.models.webhooks import Delivery, DeliveryStatus, Webhook

__all__ = [
    "ADMIN_INDEX_PREDICATE",
    "HIDDEN_PROJECT",
    "LIVE",
    "TRASHED",
    "Comment",
    "Delivery",
    "DeliveryStatus",
    "EmptiedTrash",
    "FormerMember",
    "IdempotencyRecord",
    "Invitation",
    "Kind",
    "Label",
    "Membership",
    "Priority",
    "Project",
    "ProjectChange",
    "RefusedAddress",
    "Role",
    "SpaceUsage",
    "Status",
    "Task",
    "TaskChange",
    "TaskLabel",
    "TaskQuerySet",
    "Tombstone",
    "Webhook",
    "comment_etag",
    "etag",
    "inbox_id",
    "label_key",
]
