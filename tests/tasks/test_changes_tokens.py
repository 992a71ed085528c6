"""Sync tokens: whose they are, how long they are good, and what they cost."""

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import inbox_id
from tasks.sync.state import Position, State, Window
from tests.factories import api_of, make_task, make_token
from tests.tasks.conftest import Clock
from tests.tasks.follower import CHANGES, Follower
from tests.tasks.sharing import make_project, share, task_in
from tests.tasks.wire import details_of, error_of

pytestmark = pytest.mark.django_db


def with_token(user: User, **about: Any) -> APIClient:
    api = APIClient()
    api.credentials(HTTP_AUTHORIZATION=f"Bearer {make_token(user, **about)[1]}")
    return api


def test_token_is_for_one_principal(alice: User, bob: User) -> None:
    follower = Follower(api_of(alice))
    follower.sync()
    others = api_of(bob), with_token(alice), with_token(bob)

    for each in others:
        response = each.get(CHANGES, {"since": follower.token})
        assert details_of(response) == [("since", "invalid")]


@pytest.mark.parametrize("since", ["x", "A" * 60, "é"])
def test_what_is_no_token_is_refused(alice_api: APIClient, since: str) -> None:
    response = alice_api.get(CHANGES, {"since": since})

    assert details_of(response) == [("since", "invalid")]


@pytest.mark.parametrize(
    ("query", "detail"),
    [
        ({"limit": 501}, ("limit", "invalid")),
        ({"limit": 0}, ("limit", "invalid")),
        ({"since": ""}, ("since", "blank")),
        ({"page": 1}, ("page", "unknown")),
    ],
)
def test_bad_parameter_is_refused(
    alice_api: APIClient, query: Any, detail: Any
) -> None:
    assert details_of(alice_api.get(CHANGES, query)) == [detail]


def test_old_token_is_expired(alice: User, clock: Clock) -> None:
    make_task(alice)
    follower = Follower(api_of(alice), 1)
    follower.page()
    started = follower.token
    follower.sync()
    clock.advance(days=29)
    api = api_of(alice)
    assert api.get(CHANGES, {"since": started}).status_code == 200
    used = api.get(CHANGES, {"since": follower.token}).json()["nextToken"]
    clock.advance(days=2)
    api = api_of(alice)

    for each in (started, follower.token):
        response = api.get(CHANGES, {"since": each})
        assert response.status_code == 410
        assert error_of(response)["code"] == "SYNC_EXPIRED"
    assert api.get(CHANGES, {"since": used}).status_code == 200


@pytest.mark.parametrize("change", [-1, 1_000_000])
def test_token_from_before_an_older_moment_is_expired(alice: User, change: int) -> None:
    make_task(alice)
    follower = Follower(api_of(alice))
    follower.sync()
    alice.refresh_from_db(fields=["revision"])
    User.objects.filter(pk=alice.pk).update(revision=alice.revision + change)

    response = follower.api.get(CHANGES, {"since": follower.token})
    assert response.status_code == 410


def test_empty_answer_costs_two_statements(
    alice: User, bob: User, clock: Clock
) -> None:
    for n in range(3):
        project = make_project(alice, str(n))
        share(project, bob)
        task_in(project)
    for user, most in ((alice, 1), (bob, 2)):
        follower = Follower(api_of(user))
        follower.sync()
        with CaptureQueriesContext(connection) as captured:
            assert follower.sync() == []
        assert len(captured) == most, [each["sql"] for each in captured]


def test_each_kind_costs_one_statement(alice: User, bob: User, clock: Clock) -> None:
    projects = [make_project(alice, str(n)) for n in range(4)]
    for project in projects:
        share(project, bob)
    follower = Follower(api_of(bob))
    follower.sync()
    for project in projects:
        task_in(project)
    with CaptureQueriesContext(connection) as captured:
        assert len(follower.sync()) == 4
    # The session, the access, and what is gone, members, tasks and comments.
    assert len(captured) == 6, [each["sql"] for each in captured]


def test_token_of_a_hundred_projects_fits_into_3_kb(alice: User) -> None:
    now = datetime.fromisoformat("2026-12-01T09:00:00+00:00")
    window = Window(1_000_000, 1_010_000)
    state = State(
        now - timedelta(days=1),
        now,
        window,
        {uuid4(): window for _ in range(100)},
        Position(5, 4, 2, uuid4(), 1_010_000, uuid4().int),
    )
    token = state.encode(alice.pk)

    assert len(token) <= 3 * 1024
    assert State.decode(token, alice.pk) == state


def test_token_for_some_projects_sees_these_alone(alice: User) -> None:
    covered, other = make_project(alice, "Covered"), make_project(alice, "Other")
    seen = task_in(covered, labels=["house"])
    task_in(other)
    make_task(alice)
    follower = Follower(with_token(alice, projects=[covered.pk]))
    follower.sync()

    assert [*follower.copy["project"]] == [str(covered.pk)]
    assert [*follower.copy["task"]] == [str(seen.pk)]
    assert follower.copy["label"] == {}
    assert str(inbox_id(alice.pk)) not in follower.copy["project"]
