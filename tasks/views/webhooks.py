"""`/api/webhooks`: where events of the caller's space and projects are sent."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.http import HttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from taskapi.api import scopes
from taskapi.api.caching import CACHE_HEADERS, not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import BOTH, Precondition, content_tag, entity_tags
from taskapi.api.serializers import EmptySerializer
from tasks import access
from tasks import serializers as s
from tasks.models import Delivery, Webhook
from tasks.operations import webhooks
from tasks.views.base import SpaceView
from tasks.webhooks.events import to_bits
from tasks.webhooks.serialize import delivery_to_dict, webhook_to_dict


def stored(values: dict[str, Any]) -> dict[str, Any]:
    """Values of the body as they are in the row."""
    if "events" in values:
        values["events"] = to_bits(values["events"])
    return values


class WebhookView(SpaceView):
    token_scopes = scopes.WEBHOOKS

    def get_webhook(self, id: UUID) -> Webhook:
        user = cast(Any, self.request.user)
        return access.get_webhook(user.pk, id, user.project_ids)


class WebhookViewSet(WebhookView):
    """The webhooks of the user."""

    queryset: Any = Webhook.objects.none()  # names the model for the schema
    serializer_class = s.WebhookSerializer
    pagination_class = None  # all of them
    preconditions: ClassVar[dict[str, frozenset[str]]] = dict.fromkeys(
        ["retrieve", "partial_update", "destroy"], BOTH
    )

    @extend_schema(
        operation_id="listWebhooks", responses={200: s.WebhookListSerializer}
    )
    def list(self, request: Request) -> HttpResponse:
        """List the user's webhooks, the oldest first."""
        user = cast(Any, request.user)
        rows = access.webhooks_of(user.pk, user.project_ids)
        items = [webhook_to_dict(row) for row in rows.order_by("created_at", "id")]
        return self.json_response({"items": items})

    @extend_schema(
        operation_id="createWebhook",
        parameters=[KEY],
        request=s.WebhookCreateSerializer,
        responses={201: s.NewWebhookSerializer, 403: None, 409: None, 422: None},
    )
    def create(self, request: Request) -> HttpResponse:
        """Make a webhook; its secret is shown in this response and never again."""
        return idempotent(request, self.create_once, has_secret=True)

    def create_once(self) -> HttpResponse:
        values = stored(self.validate(s.WebhookCreateSerializer))
        webhook, secret = webhooks.create_webhook(values, self.context())
        location = f"/api/webhooks/{webhook.pk}"
        return self.secret_response(webhook, secret, 201, Location=location)

    @extend_schema(
        operation_id="getWebhook",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.WebhookSerializer, 304: None, 412: None},
    )
    def retrieve(self, request: Request, id: UUID) -> HttpResponse:
        """Get a webhook; If-None-Match answers 304 while it is unchanged."""
        webhook = self.get_webhook(id)
        data = webhook_to_dict(webhook)
        tag = content_tag(data)
        Precondition(entity_tags(request._request, "If-Match")).require(tag, data)
        return not_modified(request, tag) or self.webhook_response(webhook)

    @extend_schema(
        operation_id="updateWebhook",
        parameters=[IF_MATCH],
        request=s.WebhookUpdateSerializer,
        responses={200: s.WebhookSerializer, 409: None, 412: None},
    )
    def partial_update(self, request: Request, id: UUID) -> HttpResponse:
        """Change where a webhook is sent, or which events; disable or enable it."""
        values = stored(self.validate(s.WebhookUpdateSerializer))
        expects, context = self.precondition(), self.context()
        webhook = webhooks.update_webhook(id, values, context, expects)
        return self.webhook_response(webhook)

    @extend_schema(
        operation_id="deleteWebhook",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def destroy(self, request: Request, id: UUID) -> Response:
        """Delete a webhook, its deliveries, and what waits for it."""
        self.validate(EmptySerializer)
        webhooks.delete_webhook(id, self.context(), self.precondition())
        return Response(status=204)

    @extend_schema(
        operation_id="testWebhook",
        request=None,
        parameters=[KEY],
        responses={200: s.DeliverySerializer, 409: None, 422: None},
    )
    def test(self, request: Request, id: UUID) -> HttpResponse:
        """Send an event `webhook.test`, for which nothing happened."""
        return idempotent(request, lambda: self.test_once(id))

    def test_once(self, id: UUID) -> HttpResponse:
        self.validate(EmptySerializer)
        delivery = webhooks.send_test(id, self.context())
        return self.json_response(delivery_to_dict(delivery))

    @extend_schema(
        operation_id="rotateWebhookSecret",
        request=None,
        parameters=[KEY],
        responses={200: s.NewWebhookSerializer, 409: None, 422: None},
    )
    def rotate_secret(self, request: Request, id: UUID) -> HttpResponse:
        """Make a new secret; the previous one stays valid for 24 hours."""
        return idempotent(request, lambda: self.rotate_once(id), has_secret=True)

    def rotate_once(self, id: UUID) -> HttpResponse:
        self.validate(EmptySerializer)
        return self.secret_response(*webhooks.rotate_secret(id, self.context()))

    def webhook_response(self, webhook: Webhook) -> HttpResponse:
        data = webhook_to_dict(webhook)
        headers = CACHE_HEADERS | {"ETag": content_tag(data)}
        return self.json_response(data, 200, **headers)

    def secret_response(
        self, webhook: Webhook, secret: str, status: int = 200, **headers: str
    ) -> HttpResponse:
        data = webhook_to_dict(webhook) | {"secret": secret}
        return self.json_response(data, status, **headers)


class DeliveryViewSet(WebhookView):
    """What was, and is to be, delivered to a webhook."""

    queryset: Any = Delivery.objects.none()
    serializer_class = s.DeliverySerializer

    def accepted_parameters(self) -> list[str]:
        return [*self.pages.parameters] if self.action == "list" else []

    @extend_schema(
        operation_id="listDeliveries", responses=s.DeliverySerializer(many=True)
    )
    def list(self, request: Request, id: UUID) -> Response:
        """List the deliveries of a webhook, the latest first; kept for 7 days."""
        deliveries = self.get_webhook(id).deliveries.order_by("-created_at", "-id")
        return Response(self.page(deliveries))

    @extend_schema(
        operation_id="redeliver",
        request=None,
        parameters=[KEY],
        responses={200: s.DeliverySerializer, 409: None, 422: None},
    )
    def redeliver(self, request: Request, id: UUID, delivery_id: UUID) -> HttpResponse:
        """Deliver an event once more, with the same `webhook-id`."""
        return idempotent(request, lambda: self.redeliver_once(id, delivery_id))

    def redeliver_once(self, id: UUID, delivery_id: UUID) -> HttpResponse:
        self.validate(EmptySerializer)
        delivery = webhooks.redeliver(id, delivery_id, self.context())
        return self.json_response(delivery_to_dict(delivery))
