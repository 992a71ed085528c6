"""Comments as responses show them."""

from typing import Any

from tasks.fields import to_rfc3339
from tasks.models import Comment


def comment_to_dict(comment: Comment) -> dict[str, Any]:
    author_id = comment.author_id
    return {
        "id": str(comment.pk),
        "taskId": str(comment.task_id),
        "authorId": author_id and str(author_id),
        "text": comment.text,
        "version": comment.version,
        "createdAt": to_rfc3339(comment.created_at),
        "updatedAt": to_rfc3339(comment.updated_at),
    }
