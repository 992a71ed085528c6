"""`GET /api/people`: whose names an account may see."""

from typing import Any
from uuid import UUID, uuid4

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.models import User
from tasks.models import Project, Role
from tests.factories import api_of, make_user
from tests.tasks.conftest import Clock
from tests.tasks.sharing import hide, leave, make_project, share
from tests.tasks.wire import details_of

ID = UUID("0b6f3a52-7c1e-4d5a-9f3b-2a8d6c4e1f07")


@pytest.fixture
def carol(db: None) -> User:
    return make_user("carol")


@pytest.fixture
def project(alice: User) -> Project:
    return make_project(alice)


def ask(api: APIClient, *people: Any) -> Any:
    ids = ",".join(str(getattr(each, "pk", each)) for each in people)
    return api.get(f"/api/people?ids={ids}")


def names(user: User, *people: Any) -> list[str]:
    response = ask(api_of(user), *people)
    assert response.status_code == 200, response.content
    return [each["name"] for each in response.json()["items"]]


def test_names_come_in_the_order_of_the_ids(
    alice: User, bob: User, carol: User, project: Project
) -> None:
    for user in (bob, carol):
        share(project, user, Role.VIEWER)
    ids = [carol.pk, str(alice.pk).upper(), bob.pk, carol.pk, uuid4()]
    response = ask(api_of(alice), *ids)

    assert response.json() == {
        "items": [{"id": str(u.pk), "name": u.name} for u in (carol, alice, bob)]
    }


def test_stranger_is_left_out(alice: User, bob: User, project: Project) -> None:
    assert names(alice, alice, bob) == ["alice"]


def test_those_who_share_a_project_see_each_other(
    alice: User, bob: User, carol: User, project: Project
) -> None:
    everybody = (alice, bob, carol)
    for user in (bob, carol):
        share(project, user, Role.VIEWER)

    for user in everybody:
        assert names(user, *everybody) == ["alice", "bob", "carol"]


def test_those_who_shared_a_project_see_each_other_still(
    alice: User, bob: User, carol: User, project: Project
) -> None:
    everybody = (alice, bob, carol)
    members = [share(project, user, Role.VIEWER) for user in (bob, carol)]
    for member in members:
        leave(member)
        for user in everybody:
            assert names(user, *everybody) == ["alice", "bob", "carol"]


def test_who_joined_later_was_never_in_the_project_with_who_left(
    alice: User, bob: User, carol: User, project: Project, clock: Clock
) -> None:
    member = share(project, bob, Role.VIEWER)
    clock.advance(minutes=1)
    leave(member)
    clock.advance(minutes=1)
    share(project, carol, Role.VIEWER)

    assert names(bob, alice, bob, carol) == ["alice", "bob"]
    # What bob wrote is there still.
    assert names(carol, alice, bob, carol) == ["alice", "bob", "carol"]


def test_members_of_different_projects_of_one_owner_are_strangers(
    alice: User, bob: User, carol: User, project: Project
) -> None:
    share(project, bob, Role.MANAGER)
    share(make_project(alice), carol, Role.MANAGER)

    assert names(bob, carol) == names(carol, bob) == []
    assert names(alice, bob, carol) == ["bob", "carol"]


def test_project_in_the_trash_was_shared(
    alice: User, bob: User, project: Project
) -> None:
    share(project, bob, Role.VIEWER)
    hide(project, deleted_at=timezone.now())

    assert names(bob, alice) == ["alice"]


def test_erased_account_is_not_named(alice: User, bob: User, project: Project) -> None:
    share(project, bob, Role.VIEWER)
    bob.erase(now=timezone.now())

    assert names(alice, bob) == []


def test_names_take_two_queries(
    alice: User, bob: User, project: Project, clock: Clock
) -> None:
    share(project, bob, Role.VIEWER)
    api = api_of(alice)
    ask(api, bob)
    with CaptureQueriesContext(connection) as few:
        ask(api, bob)
    others = [make_user(f"u{n}") for n in range(20)]
    for user in others:
        share(project, user, Role.VIEWER)
    with CaptureQueriesContext(connection) as many:
        ask(api, bob, *others)

    assert len(few) == len(many) == 3  # with that of the session


@pytest.mark.parametrize(
    ("query", "code"),
    [
        ("", "required"),
        ("?ids=", "blank"),
        ("?ids=me", "invalid"),
        (f"?ids={ID},", "invalid"),
        (f"?ids={ID.hex}", "invalid"),
        (f"?ids={ID}&ids={ID}", "repeated"),
        ("?ids=" + ",".join([str(ID)] * 101), "max_length"),
    ],
    ids=lambda each: each[:12],
)
def test_bad_ids_are_refused(alice_api: APIClient, query: str, code: str) -> None:
    assert details_of(alice_api.get(f"/api/people{query}")) == [("ids", code)]


def test_a_hundred_ids_are_looked_up(alice_api: APIClient, alice: User) -> None:
    response = ask(alice_api, *(uuid4() for _ in range(99)), alice)

    assert [each["name"] for each in response.json()["items"]] == ["alice"]
