"""What webhooks add to the OpenAPI document (see taskapi.api.openapi)."""

from typing import Any

from taskapi.api.openapi import (
    COUNTED_RATE_LIMIT,
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_INNER_ID,
    EXAMPLE_UPDATED,
    RATE_LIMIT,
    ErrorResponse,
    Operation,
    array_of,
    header,
    known_values,
    link,
    object_of,
    ref,
    text,
)
from tasks.openapi.examples import page
from tasks.webhooks.events import EVENTS

NEW_WEBHOOK = {
    "url": "https://receiver.example.com/hook",
    "events": ["task.created", "task.completed"],
}
WEBHOOK: dict[str, Any] = {
    "id": EXAMPLE_ID,
    **NEW_WEBHOOK,
    "projectId": None,
    "isEnabled": True,
    "disabledReason": None,
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
CHANGED = WEBHOOK | {"events": ["task.created"], "updatedAt": EXAMPLE_UPDATED}
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSwMfKQ9r8GKYo="  # noqa: S105
DELIVERY: dict[str, Any] = {
    "id": EXAMPLE_INNER_ID,
    "event": "task.created",
    "status": "DELIVERED",
    "attempts": 1,
    "lastAttemptAt": EXAMPLE_UPDATED,
    "responseStatus": 200,
    "responseExcerpt": "thank you",
    "createdAt": EXAMPLE_CREATED,
}
WAITING = DELIVERY | {
    "status": "PENDING",
    "attempts": 0,
    "lastAttemptAt": None,
    "responseStatus": None,
    "responseExcerpt": None,
}
TAGS = {"Webhooks": "Events that are sent to you, signed as Standard Webhooks says."}
COMPONENT_NAMES = {
    "WebhookCreate": "CreateWebhook",
    "WebhookUpdate": "UpdateWebhook",
}
CACHED = ["Cache-Control", "Vary"]
OF_WEBHOOK: dict[int, str | None] = {403: "WebhookForbidden", 404: "WebhookNotFound"}
CONDITIONAL = OF_WEBHOOK | {412: "WebhookPreconditionFailed"}
WEBHOOK_LINKS = ["UpdateWebhook", "DeleteWebhook", "ListDeliveries"]
OPERATIONS = {
    "listWebhooks": Operation(
        tag="Webhooks",
        description="Also those that are disabled. Secrets are not shown again.",
        response={"items": [WEBHOOK]},
    ),
    "createWebhook": Operation(
        tag="Webhooks",
        description="Without `projectId` it gets events of your own space, with it "
        "those of any project that you may read; access is asked again at each "
        "delivery. A repetition with the same Idempotency-Key makes none and is 409: "
        "the secret is shown once.",
        request=NEW_WEBHOOK,
        response=WEBHOOK | {"secret": SECRET},
        headers=["Webhook-Location"],
        links=WEBHOOK_LINKS,
        errors={403: "TooManyWebhooks"},
    ),
    "getWebhook": Operation(
        tag="Webhooks",
        description="`disabledReason` is `USER`, `FAILING` or `ACCESS_ENDED`.",
        response=WEBHOOK,
        headers=["Content-ETag", *CACHED],
        links=WEBHOOK_LINKS,
        errors=CONDITIONAL,
    ),
    "updateWebhook": Operation(
        tag="Webhooks",
        description="What waits for a disabled webhook is dropped. 409 if you may not "
        "read its project any more.",
        request={"events": CHANGED["events"]},
        response=CHANGED,
        headers=["Content-ETag", *CACHED],
        links=WEBHOOK_LINKS,
        errors=CONDITIONAL | {409: "WebhookConflict"},
    ),
    "deleteWebhook": Operation(
        tag="Webhooks",
        description="A delivery that is being made is not called back.",
        errors=CONDITIONAL,
    ),
    "testWebhook": Operation(
        tag="Webhooks",
        description="409 if the webhook is disabled.",
        response=WAITING | {"event": "webhook.test"},
        headers=["Idempotency-Replayed"],
        errors=OF_WEBHOOK,
    ),
    "rotateWebhookSecret": Operation(
        tag="Webhooks",
        description="Deliveries have a signature with each of the two meanwhile.",
        response=CHANGED | {"secret": SECRET},
        errors=OF_WEBHOOK,
    ),
    "listDeliveries": Operation(
        tag="Webhooks",
        description="`responseExcerpt` is the start of the receiver's answer.",
        response=page(DELIVERY),
        errors=OF_WEBHOOK,
    ),
    "redeliver": Operation(
        tag="Webhooks",
        description="409 if it waits for its next attempt, or the webhook is disabled.",
        response=WAITING,
        headers=["Idempotency-Replayed"],
        errors=OF_WEBHOOK | {404: "DeliveryNotFound"},
    ),
    "exportMe": Operation(response={"webhooks": [WEBHOOK]}),
}
ERRORS = {
    "WebhookForbidden": ErrorResponse(
        403,
        "The webhook belongs to another user.",
        "This webhook belongs to somebody else.",
        RATE_LIMIT,
    ),
    "TooManyWebhooks": ErrorResponse(
        403,
        "The project belongs to another user; or QUOTA_EXCEEDED: the account has as "
        "many webhooks as it may.",
        "QUOTA_WEBHOOKS: an account may have 20 webhooks.",
        RATE_LIMIT,
    ),
    "WebhookNotFound": ErrorResponse(
        404, "There is no such webhook.", "Webhook not found.", COUNTED_RATE_LIMIT
    ),
    "DeliveryNotFound": ErrorResponse(
        404,
        "There is no such webhook, or it has no such delivery.",
        "Delivery not found.",
        COUNTED_RATE_LIMIT,
    ),
    "WebhookConflict": ErrorResponse(
        409,
        "You may not read the webhook's project any more.",
        "You may not read this project any more.",
        RATE_LIMIT,
    ),
    "WebhookPreconditionFailed": ErrorResponse(
        412,
        "If-Match or If-None-Match does not allow it; `error.current` is the webhook "
        "as it is now.",
        "It has changed; error.current is what it is now.",
        ("Content-ETag", *RATE_LIMIT),
        {"current": CHANGED},
    ),
}
HEADERS = {
    "Webhook-Location": header(
        "The path of the created webhook.",
        text("^/api/webhooks/[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$"),
    ),
}
ID = "$response.body#/id"
LINKS = {
    "UpdateWebhook": link("updateWebhook", "Changes the webhook.", id=ID),
    "DeleteWebhook": link("deleteWebhook", "Deletes it.", id=ID),
    "ListDeliveries": link("listDeliveries", "What was sent to it.", id=ID),
}
FIELDS = {
    "Webhook.url": "Where events are sent.",
    "NewWebhook.url": "Where events are sent.",
    "NewWebhook.events": "Which are sent; others may be added.",
    "NewWebhook.projectId": "The project whose events are sent; `null`: your space.",
    "CreateWebhookRequest.url": "Where events are sent: https, and a public address.",
    "UpdateWebhookRequest.url": "Where events are sent: https, and a public address.",
    "Webhook.events": f"Which are sent. {known_values(EVENTS)}",
    "CreateWebhookRequest.events": "Which are sent.",
    "UpdateWebhookRequest.events": "Which are sent.",
    "CreateWebhookRequest.projectId": "One project; `null` is your own space.",
    "Webhook.projectId": "The project whose events are sent; `null` is your own space.",
    "isEnabled": "Whether events are sent.",
    "disabledReason": "Why none are sent: USER, FAILING or ACCESS_ENDED.",
    "secret": "Verifies deliveries; shown this once.",
    "Export.webhooks": "The webhooks, without their secrets.",
    "WebhookList.items": "All of them, the oldest first.",
    "Delivery.event": "The event.",
    "Delivery.status": "Whether it was delivered, or given up.",
    "Delivery.attempts": "How often it was tried.",
    "lastAttemptAt": "When it was tried last.",
    "responseStatus": "What the receiver answered last.",
    "responseExcerpt": "The start of that answer, or why there was none.",
}


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    return {"Export": object_of(webhooks=array_of(ref("schemas", "Webhook")))}
