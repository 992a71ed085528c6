from typing import Any

from rest_framework import serializers


class PersonSerializer(serializers.Serializer[Any]):
    """What accounts that share a project see of each other."""

    id = serializers.UUIDField()
    name = serializers.CharField(max_length=100)


class PeopleSerializer(serializers.Serializer[Any]):
    items = PersonSerializer(many=True)
