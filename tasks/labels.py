"""Labels as responses show them."""

from typing import Any

from tasks.fields import to_rfc3339
from tasks.models import Label


def label_to_dict(label: Label) -> dict[str, Any]:
    return {
        "id": str(label.pk),
        "name": label.name,
        "color": label.color,
        "version": label.version,
        "createdAt": to_rfc3339(label.created_at),
        "updatedAt": to_rfc3339(label.updated_at),
    }
