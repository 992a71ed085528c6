"""Bodies of requests for webhooks, and webhooks and deliveries in responses."""

from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from drf_spectacular.utils import extend_schema_serializer
from rest_framework import serializers

from taskapi.api.fields import IdField, StrictBooleanField, StrictCharField
from taskapi.api.serializers import StrictSerializer
from tasks.models import Delivery, DeliveryStatus, Webhook
from tasks.webhooks.addresses import is_allowed
from tasks.webhooks.events import EVENTS
from tasks.webhooks.serialize import delivery_to_dict, webhook_to_dict

MAX_URL = 2000


class WebhookUrlField(StrictCharField):
    """Where a webhook is sent; the host is resolved, and checked, at each delivery."""

    schema_pattern = r"^https://[\x21\x22\x24-\x7e]+$"
    default_error_messages = {
        "url": "Not a URL such as https://example.com/hook, without user and fragment.",
        "scheme": "Webhooks are sent to https:// only.",
        "address": "Webhooks are not sent to this address.",
    }

    def to_internal_value(self, data: Any) -> str:
        text = super().to_internal_value(data)
        try:
            parts = urlsplit(text)
            host, _ = parts.hostname, parts.port
        except ValueError:
            self.fail("url")
        is_plain = text.isascii() and text.isprintable() and " " not in text
        if not is_plain or not host or parts.fragment or "@" in parts.netloc:
            self.fail("url")
        if parts.scheme not in {"https", "http"} or "#" in text:
            self.fail("url")
        if parts.scheme == "http" and not settings.DEBUG:
            self.fail("scheme")
        if is_refused(host):
            self.fail("address")
        return text


def is_refused(host: str) -> bool:
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_allowed(host, settings.WEBHOOK_ALLOWED_NETWORKS)


class EventsField(serializers.ListField):
    """Names of events; unknown ones are refused."""

    child = serializers.ChoiceField(choices=[(name, name) for name in EVENTS])

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(min_length=1, max_length=len(EVENTS), **kwargs)


class WebhookCreateSerializer(StrictSerializer):
    """The fields of a webhook that a client may set."""

    url = WebhookUrlField(max_length=MAX_URL)
    events = EventsField()
    projectId = IdField(source="project_id", allow_null=True, required=False)

    read_only_echoes = frozenset(
        {"id", "isEnabled", "disabledReason", "createdAt", "updatedAt"}
    )


class WebhookUpdateSerializer(StrictSerializer):
    url = WebhookUrlField(max_length=MAX_URL, required=False)
    events = EventsField(required=False)
    isEnabled = StrictBooleanField(source="is_enabled", required=False)

    read_only_echoes = frozenset(
        {"id", "projectId", "disabledReason", "createdAt", "updatedAt"}
    )


class WebhookSerializer(serializers.Serializer[Webhook]):
    """A webhook, as in every response."""

    id = serializers.UUIDField()
    url = serializers.CharField(max_length=MAX_URL)
    events = serializers.ListField(child=serializers.CharField())
    projectId = serializers.UUIDField(allow_null=True)
    isEnabled = serializers.BooleanField()
    disabledReason = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()
    updatedAt = serializers.DateTimeField()

    def to_representation(self, instance: Webhook) -> dict[str, Any]:
        return webhook_to_dict(instance)


class NewWebhookSerializer(WebhookSerializer):
    """A webhook with its secret, which is shown this once."""

    secret = serializers.CharField()


@extend_schema_serializer(many=False)
class WebhookListSerializer(serializers.Serializer[Any]):
    items = WebhookSerializer(many=True)


class DeliverySerializer(serializers.Serializer[Delivery]):
    """An event for a webhook, and what the receiver answered last."""

    id = serializers.UUIDField()
    event = serializers.CharField()
    status = serializers.ChoiceField(choices=DeliveryStatus.choices)
    attempts = serializers.IntegerField(min_value=0)
    lastAttemptAt = serializers.DateTimeField(allow_null=True)
    responseStatus = serializers.IntegerField(allow_null=True)
    responseExcerpt = serializers.CharField(allow_null=True)
    createdAt = serializers.DateTimeField()

    def to_representation(self, instance: Delivery) -> dict[str, Any]:
        return delivery_to_dict(instance)
