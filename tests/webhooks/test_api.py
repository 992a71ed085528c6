"""`/api/webhooks`."""

from typing import Any

import pytest
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Delivery, Role, Webhook
from tests.accounts.test_export import exported
from tests.mailbox import deliver
from tests.tasks.sharing import make_project, share
from tests.tasks.wire import details_of

pytestmark = pytest.mark.django_db
BODY = {"url": "https://receiver.example/hook", "events": ["task.created"]}


def make(api: APIClient, **more: Any) -> Any:
    return api.post("/api/webhooks", BODY | more, format="json")


def test_secret_is_shown_once(alice_api: APIClient) -> None:
    made = make(alice_api)
    url = made["Location"]

    assert made.status_code == 201
    assert made.json()["secret"].startswith("whsec_")
    shown = alice_api.get(url).json()
    assert made.json() == shown | {"secret": made.json()["secret"]}
    assert alice_api.get("/api/webhooks").json() == {"items": [shown]}
    assert exported(alice_api)["webhooks"] == [shown]


def test_repetition_with_a_key_shows_no_secret(alice_api: APIClient) -> None:
    alice_api.credentials(**alice_api._credentials, HTTP_IDEMPOTENCY_KEY="k")

    assert make(alice_api).status_code == 201
    assert make(alice_api).status_code == 409
    assert Webhook.objects.count() == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://receiver.example/",
        "ftp://receiver.example/",
        "https://",
        "https:///hook",
        "receiver.example",
        "https://user:password@receiver.example/",
        "https://receiver.example/#part",
        "https://receiver.example/ü",
        "https://receiver.example/a b",
        "https://receiver.example:port/",
        "https://receiver.example:99999/",
        "https://[::1/",
        "https://127.0.0.1/",
        "https://10.0.0.1:8443/",
        "https://169.254.169.254/latest/meta-data",
        "https://[::1]/",
        "https://[::ffff:10.0.0.1]/",
        "https://[64:ff9b::a00:1]/",
        "https://receiver.example/\n",
    ],
)
def test_url_that_is_never_delivered_to_is_refused(
    alice_api: APIClient, url: str
) -> None:
    response = make(alice_api, url=url)

    assert response.status_code == 400, response.json()
    assert [field for field, _ in details_of(response)] == ["url"]


@pytest.mark.parametrize(
    "url",
    ["https://receiver.example", "https://1.1.1.1:8443/x?token=a%20b", "https://a.b/@"],
)
def test_other_urls_are_kept(alice_api: APIClient, url: str) -> None:
    assert make(alice_api, url=url).json()["url"] == url


def test_http_is_for_development(alice_api: APIClient, settings: Any) -> None:
    settings.DEBUG = True

    assert make(alice_api, url="http://receiver.example/").status_code == 201


@pytest.mark.parametrize("events", [[], ["task.eaten"], "task.created", [None]])
def test_events_must_be_some_that_there_are(alice_api: APIClient, events: Any) -> None:
    response = make(alice_api, events=events)

    assert response.status_code == 400
    assert details_of(response)[0][0].startswith("events")


def test_events_are_in_one_order(alice_api: APIClient) -> None:
    made = make(alice_api, events=["task.deleted", "task.created", "task.deleted"])

    assert made.json()["events"] == ["task.created", "task.deleted"]


def test_number_of_webhooks_is_bounded(alice_api: APIClient, settings: Any) -> None:
    settings.QUOTA_WEBHOOKS = 1
    make(alice_api)

    assert make(alice_api).json()["error"]["code"] == "QUOTA_EXCEEDED"


def test_webhook_is_disabled_and_enabled(alice_api: APIClient, alice: User) -> None:
    made = make(alice_api)
    url = made["Location"]
    disabled = alice_api.patch(url, {"isEnabled": False}, format="json").json()

    assert (disabled["isEnabled"], disabled["disabledReason"]) == (False, "USER")
    assert not User.objects.get(pk=alice.pk).has_webhooks
    assert alice_api.post(f"{url}/test").status_code == 409
    enabled = alice_api.patch(url, {"isEnabled": True}, format="json").json()
    assert (enabled["isEnabled"], enabled["disabledReason"]) == (True, None)
    assert User.objects.get(pk=alice.pk).has_webhooks


def test_change_is_conditional(alice_api: APIClient) -> None:
    url = make(alice_api)["Location"]
    tag = alice_api.get(url)["ETag"]
    body = {"events": ["task.deleted"]}

    changed = alice_api.patch(url, body, format="json", HTTP_IF_MATCH=tag)
    assert changed.json()["events"] == ["task.deleted"]
    assert alice_api.get(url)["ETag"] == changed["ETag"] != tag
    assert alice_api.delete(url, HTTP_IF_MATCH=tag).status_code == 412
    assert alice_api.delete(url, HTTP_IF_MATCH=changed["ETag"]).status_code == 204
    assert alice_api.get(url).status_code == 404


def test_project_must_be_one_that_the_user_reads(
    alice: User, bob: User, bob_api: APIClient
) -> None:
    project = make_project(alice)
    assert make(bob_api, projectId=str(project.pk)).status_code == 403
    unknown = "00000000-0000-4000-8000-000000000000"
    response = make(bob_api, projectId=unknown)
    assert [field for field, _ in details_of(response)] == ["projectId"]
    share(project, bob, Role.VIEWER)

    assert make(bob_api, projectId=str(project.pk)).status_code == 201


def test_stranger_sees_no_webhook(alice_api: APIClient, bob_api: APIClient) -> None:
    url = make(alice_api)["Location"]
    alice_api.post(f"{url}/test")
    delivery = Delivery.objects.get()

    for path in ("", "/deliveries"):
        assert bob_api.get(f"{url}{path}").status_code == 403
    again = f"/deliveries/{delivery.pk}/redeliver"
    for path in ("/test", "/rotate-secret", again):
        assert bob_api.post(f"{url}{path}").status_code == 403
    assert bob_api.delete(url).status_code == 403
    assert bob_api.get("/api/webhooks").json() == {"items": []}


def test_deliveries_show_what_happened(alice_api: APIClient, settings: Any) -> None:
    url = make(alice_api, url="https://receiver.invalid/")["Location"]
    sent = alice_api.post(f"{url}/test").json()
    deliver()

    [shown] = alice_api.get(f"{url}/deliveries").json()["items"]
    assert shown["id"] == sent["id"]
    assert (shown["status"], shown["attempts"]) == ("PENDING", 1)
    assert shown["responseExcerpt"] == "No answer: ConnectError."
    again = alice_api.post(f"{url}/deliveries/{sent['id']}/redeliver")
    assert again.status_code == 409
