"""Bodies of requests for comments, and comments in responses."""

from typing import Any

from rest_framework import serializers

from taskapi.api.fields import StrictCharField
from taskapi.api.serializers import StrictSerializer
from tasks.comments import comment_to_dict
from tasks.models import Comment
from tasks.serializers.task import VersionField

MAX_TEXT = 10_000


class CommentCreateSerializer(StrictSerializer):
    """The text, which is all of a comment that a client sets."""

    text = StrictCharField(max_length=MAX_TEXT)

    read_only_echoes = frozenset(
        {"id", "taskId", "authorId", "version", "createdAt", "updatedAt"}
    )


class CommentUpdateSerializer(CommentCreateSerializer):
    text = StrictCharField(max_length=MAX_TEXT, required=False)
    version = VersionField(min_value=1, max_value=2**31 - 1, required=False)


class CommentSerializer(serializers.Serializer[Comment]):
    """A comment, as in every response."""

    id = serializers.UUIDField()
    taskId = serializers.UUIDField()
    authorId = serializers.UUIDField(allow_null=True)
    text = serializers.CharField(max_length=MAX_TEXT)
    version = serializers.IntegerField(min_value=1, max_value=2**31 - 1)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()

    def to_representation(self, instance: Comment) -> dict[str, Any]:
        return comment_to_dict(instance)
