"""Rows for tests, made through the code that makes them in production."""

from collections.abc import Collection
from typing import Any
from uuid import UUID

from django.contrib.auth import get_user_model
from django.db import transaction
from django.utils import timezone
from rest_framework.test import APIClient

from accounts.auth import personal_tokens, sessions
from accounts.auth.jwt import AccessToken
from accounts.models import PersonalToken, Session, User
from taskapi.api.scopes import Scope
from tasks.models import Priority, Status, Task, inbox_id
from tasks.operations import ActorContext, Create, perform_one

PASSWORD = "correct horse 1"


def make_user(name: str = "alice", **overrides: Any) -> User:
    fields = {"name": name, "email": f"{name}@example.com", "password": PASSWORD}
    return get_user_model().objects.create_user(**fields | overrides)


def make_session(user: User, **overrides: Any) -> Session:
    about = {"user_agent": "tests", "address": "127.0.0.1", "now": timezone.now()}
    return sessions.start(user, **about | overrides)


def make_token(
    user: User,
    scopes: Collection[str] = tuple(Scope),
    *,
    projects: Collection[UUID] | None = None,
    session: Session | None = None,
    **overrides: Any,
) -> tuple[PersonalToken, str]:
    """A personal token, and how it is sent."""
    about = {"name": "tests", "expires_at": None, "now": timezone.now()} | overrides
    session = session or make_session(user)
    with transaction.atomic():
        return personal_tokens.create(
            user.pk, session.pk, scopes=scopes, project_ids=projects, **about
        )


def make_task(owner: User, **overrides: Any) -> Task:
    now = overrides.pop("now", None) or timezone.now()
    values = {"title": "Water the plants"} | overrides
    return perform_one(Create(values), ActorContext(owner.pk, owner.pk, "test", now))


def space(owner: User) -> dict[str, Any]:
    """Where a task that no operation makes belongs."""
    return {"user": owner, "project_id": inbox_id(owner.pk)}


def api_of(user: User) -> APIClient:
    client = APIClient()
    token = AccessToken.for_session(make_session(user))
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


__all__ = [
    "PASSWORD",
    "Priority",
    "Status",
    "api_of",
    "make_session",
    "make_task",
    "make_token",
    "make_user",
]
