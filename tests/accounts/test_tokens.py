"""What is in a token, and every way in which one can be false."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import jwt
import pytest

from accounts.auth import jwt as tokens
from accounts.models import Role, Session, User
from tests.accounts.clock import Clock
from tests.accounts.wire import (
    REFRESH_REFUSED,
    assert_token_refused,
    assert_unauthenticated,
    bearer,
    is_welcome,
    post,
    refresh,
    sign_in,
)
from tests.factories import make_user

OTHER_KEY = "another key, which is as long as a key of ours has to be"
NOW = int(datetime.now(UTC).timestamp())
PAIR = ["accessToken", "refreshToken"]


@pytest.fixture
def keys(settings: Any) -> Iterator[Any]:
    """The settings, for changing keys: what was made of the old ones is dropped."""
    tokens.backend.cache_clear()
    yield settings
    tokens.backend.cache_clear()


def claims(token: str) -> dict[str, Any]:
    read: dict[str, Any] = jwt.decode(token, options={"verify_signature": False})
    return read


def test_access_token_says_who_and_what_for(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["accessToken"]

    session = Session.objects.get()
    said = claims(token)
    assert len(said.pop("jti")) == 32
    assert said == {
        "typ": "access",
        "sub": str(alice.pk),
        "sid": str(session.pk),
        "role": "USER",
        "iss": "taskapi",
        "aud": "taskapi",
        "iat": int(clock.now.timestamp()),
        "exp": int(clock.now.timestamp()) + 15 * 60,
    }
    assert jwt.get_unverified_header(token) == {"alg": "HS256", "typ": "JWT"}


def test_refresh_token_says_who_and_which(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["refreshToken"]

    session = Session.objects.get()
    assert claims(token) == {
        "typ": "refresh",
        "sub": str(alice.pk),
        "sid": str(session.pk),
        "jti": session.token_id(1),
        "iss": "taskapi",
        "aud": "taskapi",
        "iat": int(clock.now.timestamp()),
        "exp": int(clock.now.timestamp()) + 7 * 24 * 3600,
    }


def test_each_kind_has_a_key_of_its_own(alice: User, settings: Any) -> None:
    signed_in = sign_in(alice)

    for name, key in zip(
        PAIR, [settings.JWT_ACCESS_SECRET, settings.JWT_REFRESH_SECRET], strict=True
    ):
        jwt.decode(signed_in[name], key, algorithms=["HS256"], audience="taskapi")


Forge = Callable[[str, str], str | bytes]


def signed(**changes: Any) -> Forge:
    """The same token with other claims, signed by us; `...` takes a claim away."""

    def forge(token: str, key: str) -> str:
        changed = claims(token) | changes
        kept = {name: value for name, value in changed.items() if value is not ...}
        return with_payload(json.dumps(kept).encode())(token, key)

    return forge


def with_payload(payload: bytes) -> Forge:
    return lambda token, key: jwt.api_jws.encode(payload, key, algorithm="HS256")


def with_algorithm(algorithm: str, key: str | None = None) -> Forge:
    return lambda token, right: jwt.encode(
        claims(token), right if key is None else key, algorithm=algorithm
    )


def with_header(header: Any, signature: str | None = None) -> Forge:
    def forge(token: str, key: str) -> str:
        first = urlsafe_b64encode(json.dumps(header).encode()).rstrip(b"=").decode()
        _, payload, own = token.split(".")
        return f"{first}.{payload}.{own if signature is None else signature}"

    return forge


def mangled(change: Callable[[str], str | bytes]) -> Forge:
    return lambda token, key: change(token)


FORGERIES: dict[str, Forge] = {
    "empty": mangled(lambda token: " "),
    "rubbish": mangled(lambda token: "rubbish"),
    "only dots": mangled(lambda token: ".."),
    "four parts": mangled(lambda token: f"{token}.x"),
    "cut short": mangled(lambda token: token[:-4]),
    "without signature": mangled(lambda token: token.rpartition(".")[0] + "."),
    "other payload": mangled(
        lambda token: ".".join([token.split(".")[0], "e30", token.split(".")[2]])
    ),
    "signature of another": with_header({"alg": "HS256", "typ": "JWT"}, "AAAA"),
    "two tokens": mangled(lambda token: f"{token} {token}"),
    "quoted": mangled(lambda token: f'"{token}"'),
    "not base64": mangled(lambda token: token.replace("eyJ", "!!!")),
    "not latin": mangled(lambda token: f"{token}é"),
    "alg none": with_algorithm("none", ""),
    "alg none, signed": with_header({"alg": "none"}),
    "alg HS512": with_algorithm("HS512"),
    "alg a list": with_header({"alg": ["HS256"]}),
    "alg an object": with_header({"alg": {}}),
    "no alg": with_header({"typ": "JWT"}),
    "header a list": with_header([]),
    "header too deep": lambda token, key: ".".join(
        [urlsafe_b64encode(b"[" * 2000).decode(), *token.split(".")[1:]]
    ),
    "key from the header": lambda token, key: jwt.encode(
        claims(token),
        OTHER_KEY,
        headers={"jwk": {"kty": "oct", "k": OTHER_KEY}, "kid": "../../dev/null"},
    ),
    "critical extension": lambda token, key: jwt.encode(
        claims(token), key, headers={"crit": ["x"], "x": 1}
    ),
    "other key": with_algorithm("HS256", OTHER_KEY),
    "payload a list": with_payload(b"[]"),
    "payload no JSON": with_payload(b"{"),
    "payload too deep": with_payload(b"[" * 2000),
    "expired": signed(exp=NOW - 3600),
    "no exp": signed(exp=...),
    "exp text": signed(exp="tomorrow"),
    "exp null": signed(exp=None),
    "exp an object": signed(exp={}),
    "exp past all time": signed(exp=10**30),
    "exp past the calendar": signed(exp=10**12),
    "exp infinite": signed(exp=float("inf")),
    "exp not a number": signed(exp=float("nan")),
    "not yet": signed(nbf=NOW + 3600),
    "no issuer": signed(iss=...),
    "other issuer": signed(iss="elsewhere"),
    "issuer a list": signed(iss=["taskapi"]),
    "no audience": signed(aud=...),
    "other audience": signed(aud="elsewhere"),
    "no type": signed(typ=...),
    "unknown type": signed(typ="sliding"),
    "type a list": signed(typ=["access", "refresh"]),
    "no jti": signed(jti=...),
    "jti a number": signed(jti=1),
    "no subject": signed(sub=...),
    "subject a number": signed(sub=1),
    "subject no UUID": signed(sub="alice"),
    "subject of nobody": signed(sub=str(uuid4())),
    "no session": signed(sid=...),
    "session null": signed(sid=None),
    "session a number": signed(sid=7),
    "session a list": signed(sid=[]),
    "session no UUID": signed(sid="../admin"),
    "unknown session": signed(sid=str(uuid4())),
}
ACCESS_FORGERIES = FORGERIES | {
    "no role": signed(role=...),
    "unknown role": signed(role="ROOT"),
    "role a list": signed(role=["USER"]),
    "role it has not": signed(role="ADMIN"),
}


@pytest.mark.parametrize("forge", ACCESS_FORGERIES.values(), ids=ACCESS_FORGERIES)
def test_false_access_token_is_refused(
    alice: User, settings: Any, forge: Forge
) -> None:
    token = sign_in(alice)["accessToken"]
    false = forge(token, settings.JWT_ACCESS_SECRET)
    client = bearer(false)

    response = client.get("/api/auth/me")

    assert_token_refused(response)
    assert is_welcome(token)


def refuse(path: str, token: str, false: str | bytes) -> None:
    response = post(path, {"refreshToken": false})

    assert_unauthenticated(response, REFRESH_REFUSED)
    assert refresh(token).status_code == 200


REFRESH_FORGERIES = {k: v for k, v in FORGERIES.items() if k != "empty"}


@pytest.mark.parametrize("forge", REFRESH_FORGERIES.values(), ids=REFRESH_FORGERIES)
def test_false_refresh_token_is_refused(
    alice: User, settings: Any, forge: Forge
) -> None:
    token = sign_in(alice)["refreshToken"]

    refuse("refresh", token, forge(token, settings.JWT_REFRESH_SECRET))


# Signed by us and naming the session, these may end it, or there is nothing to end.
ENDING = {"expired", "not yet"}
NAMELESS = {"subject of nobody", "unknown session"}
LOGOUT_FORGERIES = {
    k: v for k, v in REFRESH_FORGERIES.items() if k not in ENDING | NAMELESS
}


@pytest.mark.parametrize("forge", LOGOUT_FORGERIES.values(), ids=LOGOUT_FORGERIES)
def test_false_refresh_token_ends_no_session(
    alice: User, settings: Any, forge: Forge
) -> None:
    token = sign_in(alice)["refreshToken"]

    refuse("logout", token, forge(token, settings.JWT_REFRESH_SECRET))


@pytest.mark.parametrize("name", sorted(NAMELESS))
def test_logout_of_nobody_is_harmless(alice: User, settings: Any, name: str) -> None:
    token = sign_in(alice)["refreshToken"]
    false = FORGERIES[name](token, settings.JWT_REFRESH_SECRET)

    assert post("logout", {"refreshToken": false}).status_code == 204
    assert refresh(token).status_code == 200


@pytest.mark.parametrize("other", ["accessToken", "refreshToken"])
def test_tokens_do_not_stand_in_for_each_other(
    alice: User, settings: Any, other: str
) -> None:
    """Neither as they are nor signed with the other kind's key."""
    token = sign_in(alice)[other]
    keys = [settings.JWT_ACCESS_SECRET, settings.JWT_REFRESH_SECRET]
    for false in [token, *(jwt.encode(claims(token), key) for key in keys)]:
        if other == "refreshToken":
            assert_token_refused(bearer(false).get("/api/auth/me"))
        else:
            assert_unauthenticated(refresh(false), REFRESH_REFUSED)


def test_refresh_token_of_a_future_generation_ends_the_session(
    alice: User, settings: Any
) -> None:
    token = sign_in(alice)["refreshToken"]
    jti = Session.objects.get().token_id(2)
    false = signed(jti=jti)(token, settings.JWT_REFRESH_SECRET)

    assert_unauthenticated(refresh(str(false)), REFRESH_REFUSED)
    assert Session.objects.get().end_reason == "replay"


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER", "Bearer  "])
def test_scheme_is_read_whatever_its_case(alice: User, scheme: str) -> None:
    client = bearer("")
    client.credentials(HTTP_AUTHORIZATION=f"{scheme} {sign_in(alice)['accessToken']}")

    assert client.get("/api/auth/me").status_code == 200


@pytest.mark.parametrize("header", ["Bearer", "Bearer "])
def test_header_without_a_token_is_refused(alice: User, header: str) -> None:
    client = bearer("")
    client.credentials(HTTP_AUTHORIZATION=header)

    assert_token_refused(client.get("/api/auth/me"))


@pytest.mark.parametrize("header", ["Basic YTpi", "Token x", "x", ""])
def test_other_schemes_are_no_credentials(alice: User, header: str) -> None:
    client = bearer("")
    client.credentials(HTTP_AUTHORIZATION=header)

    response = client.get("/api/auth/me")

    message = "Authentication credentials were not provided."
    assert_unauthenticated(response, message, 'Bearer error="invalid_token"')


def test_access_token_lasts_fifteen_minutes(alice: User, clock: Clock) -> None:
    token = sign_in(alice)["accessToken"]
    clock.advance(minutes=15, seconds=-1)
    assert is_welcome(token)

    clock.advance(seconds=1)

    assert not is_welcome(token)


@pytest.mark.parametrize(
    "change",
    [
        {"is_active": False},
        {"role": Role.ADMIN},
    ],
    ids=str,
)
def test_access_token_dies_with_its_standing(
    alice: User, change: dict[str, Any]
) -> None:
    token = sign_in(alice)["accessToken"]

    User.objects.filter(pk=alice.pk).update(**change)

    assert_token_refused(bearer(token).get("/api/auth/me"))


@pytest.mark.parametrize(
    "change",
    [{"is_active": False}, {"role": Role.ADMIN}],
    ids=str,
)
def test_change_of_standing_ends_every_session(
    alice: User, change: dict[str, Any]
) -> None:
    """So that changing it back does not bring the old tokens back to life."""
    make_user("root", role=Role.ADMIN)  # the last one would have to stay
    signed_in = sign_in(alice)
    before = {name: getattr(alice, name) for name in change}
    for values in (change, before):
        user = User.objects.get(pk=alice.pk)
        for name, value in values.items():
            setattr(user, name, value)
        user.save()

    assert not is_welcome(signed_in["accessToken"])
    assert_unauthenticated(refresh(signed_in["refreshToken"]), REFRESH_REFUSED)
    assert Session.objects.get().end_reason == "standing_change"


def test_access_token_dies_with_its_session_row(alice: User) -> None:
    token = sign_in(alice)["accessToken"]
    Session.objects.all().delete()

    assert not is_welcome(token)


def test_access_token_dies_with_the_idle_session(alice: User, clock: Clock) -> None:
    signed_in = sign_in(alice)
    Session.objects.update(idle_until=clock.now)

    assert not is_welcome(signed_in["accessToken"])


def test_token_of_another_user_does_not_open_a_session(
    alice: User, bob: User, settings: Any
) -> None:
    token = sign_in(alice)["accessToken"]
    false = signed(sub=str(bob.pk))(token, settings.JWT_ACCESS_SECRET)

    assert_token_refused(bearer(str(false)).get("/api/auth/me"))


@pytest.mark.parametrize("kind", ["ACCESS", "REFRESH"])
def test_tokens_of_the_previous_key_stay_good(
    alice: User, keys: Any, kind: str
) -> None:
    old = sign_in(alice)
    setattr(keys, f"JWT_{kind}_SECRET_PREVIOUS", getattr(keys, f"JWT_{kind}_SECRET"))
    setattr(keys, f"JWT_{kind}_SECRET", OTHER_KEY)
    tokens.backend.cache_clear()

    assert is_welcome(old["accessToken"])
    assert refresh(old["refreshToken"]).status_code == 200


@pytest.mark.parametrize("kind", ["ACCESS", "REFRESH"])
def test_new_key_signs_while_the_previous_is_still_good(
    alice: User, keys: Any, kind: str
) -> None:
    setattr(keys, f"JWT_{kind}_SECRET_PREVIOUS", getattr(keys, f"JWT_{kind}_SECRET"))
    setattr(keys, f"JWT_{kind}_SECRET", OTHER_KEY)
    tokens.backend.cache_clear()

    token = sign_in(alice)[f"{kind.lower()}Token"]

    jwt.decode(token, OTHER_KEY, algorithms=["HS256"], audience="taskapi")


@pytest.mark.parametrize("kind", ["ACCESS", "REFRESH"])
def test_tokens_of_a_key_that_was_dropped_are_refused(
    alice: User, keys: Any, kind: str
) -> None:
    old = sign_in(alice)
    assert is_welcome(old["accessToken"])
    setattr(keys, f"JWT_{kind}_SECRET", OTHER_KEY)
    tokens.backend.cache_clear()

    if kind == "ACCESS":
        assert_token_refused(bearer(old["accessToken"]).get("/api/auth/me"))
    else:
        assert_unauthenticated(refresh(old["refreshToken"]), REFRESH_REFUSED)


@pytest.mark.parametrize("kind", ["ACCESS", "REFRESH"])
@pytest.mark.parametrize(
    "forge", [signed(iss="elsewhere"), signed(aud="elsewhere"), signed(exp=NOW - 1)]
)
def test_previous_key_excuses_nothing_else(
    alice: User, keys: Any, kind: str, forge: Forge
) -> None:
    old = sign_in(alice)[f"{kind.lower()}Token"]
    key = getattr(keys, f"JWT_{kind}_SECRET")
    setattr(keys, f"JWT_{kind}_SECRET_PREVIOUS", key)
    setattr(keys, f"JWT_{kind}_SECRET", OTHER_KEY)
    tokens.backend.cache_clear()
    false = str(forge(old, key))

    if kind == "ACCESS":
        assert_token_refused(bearer(false).get("/api/auth/me"))
    else:
        assert_unauthenticated(refresh(false), REFRESH_REFUSED)
