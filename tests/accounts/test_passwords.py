import unicodedata
from typing import Any
from unittest.mock import patch

import pytest
from django.contrib.auth.hashers import (
    MD5PasswordHasher,
    PBKDF2PasswordHasher,
)
from rest_framework.test import APIClient

from accounts.models import Session, User
from taskapi import settings as production
from tests.accounts.wire import (
    assert_unauthenticated,
    invalid,
    is_welcome,
    post,
    sign_in,
)
from tests.factories import PASSWORD, make_user

CAROL = {"name": "Carol Danvers", "email": "captain@example.com"}
COMPOSED = unicodedata.normalize("NFC", "Zürich Öl 4")
DECOMPOSED = unicodedata.normalize("NFD", COMPOSED)

pytestmark = pytest.mark.django_db


def register(password: str) -> Any:
    return post("register", CAROL | {"password": password})


@pytest.mark.parametrize(
    "password",
    [
        "tr0ub4do",  # 8 characters
        "correcthorsebatterystaple",  # no composition rules
        "ÄÖÜäöüß€",
        "\U0001f40e" * 8,
        "  two  blanks  ",
        "x" * 1023 + "y",
        "ä" * 512,  # 1024 bytes
    ],
)
def test_password_is_taken_and_opens_the_account(password: str) -> None:
    assert register(password).status_code == 201

    sign_in(User.objects.get(), password)


LONG = ("max_bytes", "At most 1024 bytes.")
SHORT = ("min_length", "Ensure this field has at least 8 characters.")
SHORT_WHEN_COMPOSED = (
    "password_too_short",
    "This password is too short. It must contain at least 8 characters.",
)
NUMERIC = ("password_entirely_numeric", "This password is entirely numeric.")
LIKE_NAME = ("password_too_similar", "The password is too similar to the name.")
LIKE_EMAIL = (
    "password_too_similar",
    "The password is too similar to the email.",
)
COMMON = ("password_too_common", "This password is too common.")


@pytest.mark.parametrize(
    ("password", "reason"),
    [
        ("tr0ub4d", SHORT),
        ("\U0001f40e" * 7, SHORT),
        (unicodedata.normalize("NFD", "äöüäöü7"), SHORT_WHEN_COMPOSED),
        ("x" * 1025, LONG),
        ("ä" * 512 + "x", LONG),
        ("9182736450", NUMERIC),
        ("Carol Danvers", LIKE_NAME),
        ("danvers1", LIKE_NAME),
        ("captain@example.com", LIKE_EMAIL),
        ("CAPTAINx7", LIKE_EMAIL),
        ("pass1234", COMMON),
        ("Password1", COMMON),
    ],
)
def test_password_that_breaks_the_policy_is_refused(
    password: str, reason: tuple[str, str]
) -> None:
    response = register(password)

    assert response.status_code == 400
    assert response.json() == invalid(response, "password", *reason)
    assert not User.objects.exists()


def test_every_broken_rule_is_named() -> None:
    response = register("12345678")

    details = response.json()["error"]["details"]
    assert [(d["field"], d["code"]) for d in details] == [
        ("password", "password_entirely_numeric"),
        ("password", "password_too_common"),
    ]


def test_common_password_is_taken_where_the_blocklist_is_off(settings: Any) -> None:
    settings.AUTH_PASSWORD_VALIDATORS = [
        validator
        for validator in settings.AUTH_PASSWORD_VALIDATORS
        if "Common" not in validator["NAME"]
    ]

    assert register("pass1234").status_code == 201


@pytest.mark.parametrize("length", [1025, 60 * 1024])
@pytest.mark.parametrize(
    ("path", "field", "rest"),
    [
        ("register", "password", CAROL),
        ("login", "password", {"email": "alice@example.com"}),
        ("me/erase", "password", {}),
        ("password", "currentPassword", {"newPassword": "battery staple 2"}),
        ("password", "newPassword", {"currentPassword": PASSWORD}),
        ("password/reset", "newPassword", {"token": "x"}),
    ],
)
def test_endless_password_is_refused_before_it_is_hashed(
    alice_api: APIClient, path: str, field: str, rest: dict[str, str], length: int
) -> None:
    with patch.object(MD5PasswordHasher, "encode", side_effect=AssertionError):
        response = alice_api.post(
            f"/api/auth/{path}", rest | {field: "x" * length}, format="json"
        )

    assert response.status_code == 400
    assert response.json() == invalid(response, field, *LONG)


@pytest.mark.parametrize(
    "typed", [" tr0ub4dor ", "tr0ub4dor ", "TR0UB4DOR", "tr0ub4do"]
)
def test_password_is_neither_trimmed_nor_cut_nor_folded(typed: str) -> None:
    register("tr0ub4dor")

    response = post("login", {"email": CAROL["email"], "password": typed})

    assert_unauthenticated(response, "Invalid credentials")


def test_end_of_the_longest_password_counts() -> None:
    register("x" * 1023 + "y")

    response = post("login", {"email": CAROL["email"], "password": "x" * 1023 + "z"})

    assert_unauthenticated(response, "Invalid credentials")


@pytest.mark.parametrize(
    ("chosen", "typed"), [(COMPOSED, DECOMPOSED), (DECOMPOSED, COMPOSED)]
)
def test_two_spellings_of_one_character_are_one(chosen: str, typed: str) -> None:
    assert chosen != typed
    register(chosen)

    sign_in(User.objects.get(), typed)


def test_compatible_characters_stay_different() -> None:
    register("ﬁve fish 5")

    response = post("login", {"email": CAROL["email"], "password": "five fish 5"})

    assert_unauthenticated(response, "Invalid credentials")


@pytest.fixture
def _real_hashers(settings: Any) -> None:
    settings.PASSWORD_HASHERS = production.PASSWORD_HASHERS


@pytest.mark.usefixtures("_real_hashers")
def test_hash_is_argon2id_with_19_mebibytes() -> None:
    register("tr0ub4dor&3")

    user = User.objects.get()
    assert user.password.startswith("argon2$argon2id$v=19$m=19456,t=2,p=1$")
    sign_in(user, "tr0ub4dor&3")


def old_hash() -> str:
    return PBKDF2PasswordHasher().encode(PASSWORD, "s" * 22, iterations=1000)


@pytest.mark.usefixtures("_real_hashers")
def test_login_makes_an_old_hash_stronger() -> None:
    user = make_user()
    User.objects.update(password=old_hash())

    signed_in = sign_in(user)

    user.refresh_from_db()
    assert user.password.startswith("argon2$argon2id$")
    assert is_welcome(signed_in["accessToken"])
    sign_in(user)


@pytest.mark.usefixtures("_real_hashers")
def test_stronger_hash_ends_no_session() -> None:
    user = make_user()
    before = sign_in(user)
    User.objects.update(password=old_hash())

    sign_in(user)

    assert is_welcome(before["accessToken"])
    assert not Session.objects.exclude(ended_at=None).exists()


@pytest.mark.usefixtures("_real_hashers")
def test_wrong_password_leaves_an_old_hash_alone() -> None:
    make_user()
    User.objects.update(password=old_hash())

    post("login", {"email": "alice@example.com", "password": "wrong horse 1"})

    assert User.objects.get().password == old_hash()


def test_newer_hash_does_not_bring_an_old_password_back(alice: User) -> None:
    reader = User.objects.get(pk=alice.pk)
    alice.set_password("another horse 2")
    alice.save()
    reader.upgrade_password(PASSWORD)

    alice.refresh_from_db()
    assert alice.check_password("another horse 2")
