"""The recurrence of a task in bodies of requests and responses, and its preview."""

from typing import Any

from rest_framework import serializers

from taskapi.api.fields import StrictCharField, StrictChoiceField, TimeZoneField
from taskapi.api.serializers import StrictSerializer
from tasks.fields import join_recurrence
from tasks.recurrence import rules
from tasks.recurrence.series import DUE, ORIGINS


class RuleField(StrictCharField):
    """A rule of RFC 5545, in capitals."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(max_length=rules.MAX_LENGTH, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            return rules.parse(text).text
        except rules.RuleError as error:
            raise serializers.ValidationError(str(error), "invalid") from error


class RecurrenceField(StrictSerializer):
    """As the column of the task has it."""

    rule = RuleField()
    timeZone = TimeZoneField()

    def get_fields(self) -> dict[str, Any]:
        # `from` cannot be declared above: it is a keyword.
        origin = StrictChoiceField(list(ORIGINS), default=DUE)
        return super().get_fields() | {"from": origin}

    def to_internal_value(self, data: Any) -> Any:
        return join_recurrence(super().to_internal_value(data))


class RecurrenceSerializer(serializers.Serializer[Any]):
    """When the task comes again."""

    rule = serializers.CharField(max_length=rules.MAX_LENGTH)
    timeZone = serializers.CharField(max_length=64)

    def get_fields(self) -> dict[str, Any]:
        origin = serializers.ChoiceField(list(ORIGINS))
        return super().get_fields() | {"from": origin}


class OccurrenceSerializer(serializers.Serializer[Any]):
    dueDate = serializers.DateTimeField()


class OccurrencesSerializer(serializers.Serializer[Any]):
    """The next occurrences of a series."""

    items = OccurrenceSerializer(many=True)
