"""Bodies of requests for labels, and labels in responses."""

from typing import Any

from rest_framework import serializers

from taskapi.api.fields import COLOR, ColorField
from taskapi.api.serializers import StrictSerializer
from tasks.labels import label_to_dict
from tasks.models import Label
from tasks.serializers.task import LabelNameField, VersionField

MAX_VERSION = 2**31 - 1


class LabelCreateSerializer(StrictSerializer):
    """The fields of a label that a client may set."""

    name = LabelNameField()
    color = ColorField(allow_null=True, required=False)

    read_only_echoes = frozenset({"id", "version", "createdAt", "updatedAt"})


class LabelUpdateSerializer(LabelCreateSerializer):
    name = LabelNameField(required=False)
    version = VersionField(min_value=1, max_value=MAX_VERSION, required=False)


class LabelSerializer(serializers.Serializer[Label]):
    """A label, as in every response."""

    id = serializers.UUIDField()
    name = serializers.CharField(max_length=50)
    color = serializers.RegexField(COLOR, allow_null=True)
    version = serializers.IntegerField(min_value=1, max_value=MAX_VERSION)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()

    def to_representation(self, instance: Label) -> dict[str, Any]:
        return label_to_dict(instance)
