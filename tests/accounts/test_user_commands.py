"""create_user, createsuperuser, deactivate, activate, list_users and erase_user."""

import json
import re
from collections.abc import Callable
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection
from django.utils import timezone

from accounts.models import Role, User
from tests.accounts.wire import is_welcome, post, sign_in
from tests.factories import PASSWORD, make_task, make_user

CAROL = "carol@example.com"
Type = Callable[..., list[str]]
Audited = Callable[[], list[tuple[str, Any]]]

pytestmark = pytest.mark.django_db


def run(*arguments: str, **options: Any) -> str:
    out = StringIO()
    call_command(*arguments, stdout=out, **options)
    return out.getvalue().strip()


@pytest.fixture
def type_in(monkeypatch: pytest.MonkeyPatch) -> Type:
    """Answer the questions of a command on a terminal; returns the prompts."""

    def answer(*answers: str) -> list[str]:
        left, prompts = list(answers), []

        def ask(prompt: str = "") -> str:
            prompts.append(prompt)
            return left.pop(0)

        monkeypatch.setattr("sys.stdin.isatty", lambda: True, raising=False)
        monkeypatch.setattr("getpass.getpass", ask)
        monkeypatch.setattr("builtins.input", ask)
        return prompts

    return answer


@pytest.fixture
def pipe(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    return lambda text: monkeypatch.setattr("sys.stdin", StringIO(text))


Pipe = Callable[[str], None]


@pytest.fixture
def audited(caplog: pytest.LogCaptureFixture) -> Audited:
    caplog.set_level("INFO", "accounts.audit")
    return lambda: [
        (record.event, record.userId)
        for record in caplog.records
        if record.name == "accounts.audit"
    ]


# create_user


def test_user_is_created_with_a_typed_password(type_in: Type, audited: Audited) -> None:
    type_in(PASSWORD, PASSWORD)
    printed = run("create_user", CAROL, "--name", "Carol C.")

    assert printed == f"Created {CAROL} with the role USER."
    carol = User.objects.get()
    assert (carol.email, carol.name, carol.role) == (CAROL, "Carol C.", Role.USER)
    assert audited() == [("user_created", carol.pk)]
    sign_in(carol)


@pytest.mark.parametrize("end", ["", "\n", "\r\n", "\nsecond line\n"])
def test_password_is_read_from_standard_input(pipe: Pipe, end: str) -> None:
    pipe(PASSWORD + end)
    run("create_user", CAROL, "--name", "Carol", "--password-stdin")

    sign_in(User.objects.get())


def test_password_is_asked_for_until_it_is_good(
    type_in: Type, capsys: pytest.CaptureFixture[str]
) -> None:
    prompts = type_in("short", "short", PASSWORD, "another 1", PASSWORD, PASSWORD)
    run("create_user", CAROL, "--name", "Carol")

    assert len(prompts) == 6
    told = capsys.readouterr().err
    assert "at least 8 characters" in told
    assert "not the same" in told
    sign_in(User.objects.get())


def test_asking_ends(type_in: Type) -> None:
    type_in(*["short"] * 10)

    with pytest.raises(CommandError, match="at least 8 characters"):
        run("create_user", CAROL, "--name", "Carol")
    assert not User.objects.exists()


def test_link_sets_the_password(settings: Any) -> None:
    settings.PASSWORD_RESET_URL = "https://app.example.com/reset?token="
    printed = run("create_user", CAROL, "--name", "Carol", "--link")

    link = re.search(r"https://app\.example\.com/reset\?token=(\S+)", printed)
    assert link
    assert not User.objects.get().has_usable_password()
    body = {"token": link[1], "newPassword": PASSWORD}
    assert post("password/reset", body).status_code == 204
    sign_in(User.objects.get())


def test_token_sets_the_password_where_there_is_no_page() -> None:
    printed = run("create_user", CAROL, "--name", "Carol", "--link")

    token = printed.rpartition(" ")[2]
    body = {"token": token, "newPassword": PASSWORD}
    assert post("password/reset", body).status_code == 204


def test_administrator_is_created(pipe: Pipe) -> None:
    pipe(PASSWORD)
    run("create_user", CAROL, "--name", "C", "--role", "ADMIN", "--password-stdin")

    assert User.objects.get().role == Role.ADMIN


def test_user_is_created_while_registration_is_closed(
    pipe: Pipe, settings: Any
) -> None:
    settings.REGISTRATION = "closed"
    pipe(PASSWORD)
    run("create_user", CAROL, "--name", "Carol", "--password-stdin")

    assert User.objects.exists()


@pytest.mark.parametrize(
    ("email", "name", "password", "reason"),
    [
        ("nonsense", "Carol", PASSWORD, "email: Enter a valid email address"),
        ("c\u00e4rol@example.com", "Carol", PASSWORD, "email: .*ASCII"),
        (CAROL, " ", PASSWORD, "name: This field may not be blank"),
        (CAROL, "x" * 101, PASSWORD, "name: .*no more than 100"),
        (CAROL, "Carol", "short", "password: .*at least 8 characters"),
        (CAROL, "Carol", "", "password: This field may not be blank"),
        (CAROL, "Carol", " " * 9, "password: This field may not be blank"),
        (CAROL, "Carol", "1234567890", "password: .*entirely numeric"),
        (CAROL, "Carol", CAROL, "password: .*too similar to the email"),
        (CAROL, "Carol", "x" * 1025, "password: .*1024"),
    ],
)
def test_rules_are_those_of_register(
    pipe: Pipe, email: str, name: str, password: str, reason: str
) -> None:
    pipe(password)

    with pytest.raises(CommandError, match=reason):
        run("create_user", email, "--name", name, "--password-stdin")
    assert not User.objects.exists()


def test_taken_address_is_told_before_a_password_is_asked_for(
    type_in: Type, alice: User
) -> None:
    prompts = type_in()

    with pytest.raises(CommandError, match=r"ALICE@example\.com is already registered"):
        run("create_user", "ALICE@example.com", "--name", "Al")
    assert prompts == []


def test_without_a_terminal_a_way_must_be_chosen(pipe: Pipe) -> None:
    pipe("")

    with pytest.raises(CommandError, match="--password-stdin or --link"):
        run("create_user", CAROL, "--name", "Carol")


def test_password_is_no_argument() -> None:
    with pytest.raises(CommandError, match="unrecognized arguments"):
        run("create_user", CAROL, "--name", "Carol", "--password", PASSWORD)


# createsuperuser


def test_administrator_is_asked_for_everything(type_in: Type) -> None:
    type_in("nonsense", CAROL, "", "Carol", PASSWORD, PASSWORD)
    printed = run("createsuperuser")

    assert printed == f"Created {CAROL} with the role ADMIN."
    sign_in(User.objects.get())


def test_weak_password_of_an_administrator_cannot_be_insisted_on(type_in: Type) -> None:
    """Django's command asks: create user anyway?"""
    type_in(*["12345678", "12345678", "y"] * 5)

    with pytest.raises(CommandError):
        run("createsuperuser", "--email", CAROL, "--name", "Carol")
    assert not User.objects.exists()


def test_options_are_not_asked_for(type_in: Type) -> None:
    prompts = type_in(PASSWORD, PASSWORD)
    run("createsuperuser", "--email", CAROL, "--name", "Carol")

    assert prompts == ["Password: ", "Password (again): "]


def test_administrator_gets_a_link(pipe: Pipe) -> None:
    pipe("")
    run("createsuperuser", "--email", CAROL, "--name", "Carol", "--link")

    assert User.objects.get().role == Role.ADMIN


@pytest.mark.parametrize("missing", ["email", "name"])
def test_without_questions_nothing_may_be_missing(missing: str) -> None:
    given = {"email": CAROL, "name": "Carol", missing: None}

    with pytest.raises(CommandError, match=f"--{missing} or DJANGO_SUPERUSER_"):
        run("createsuperuser", interactive=False, **given)


# deactivate and activate


def test_deactivated_user_is_out_at_once(alice: User, audited: Audited) -> None:
    signed_in = sign_in(alice)
    printed = run("deactivate", "ALICE@example.com")

    expected = "alice@example.com is inactive now, and every session has ended."
    assert printed == expected
    assert not is_welcome(signed_in["accessToken"])
    body = {"email": alice.email, "password": PASSWORD}
    assert post("login", body).status_code == 401
    assert ("deactivate", alice.pk) in audited()


def test_activated_user_signs_in_again(alice: User, audited: Audited) -> None:
    signed_in = sign_in(alice)
    run("deactivate", alice.email)
    printed = run("activate", alice.email)

    assert printed == "alice@example.com is active now."
    assert not is_welcome(signed_in["accessToken"])
    sign_in(alice)
    assert ("activate", alice.pk) in audited()


def test_doing_it_again_says_so(alice: User, audited: Audited) -> None:
    assert run("activate", alice.email) == "alice@example.com is active already."
    run("deactivate", alice.email)

    assert run("deactivate", alice.email) == "alice@example.com is inactive already."
    assert audited() == [("deactivate", alice.pk)]


# erase_user


def test_user_is_erased_with_all_that_it_owns(alice: User, audited: Audited) -> None:
    make_task(alice)
    printed = run("erase_user", "ALICE@example.com", "--noinput")

    assert printed == "alice@example.com is erased; housekeeping removes the rows."
    assert not User.objects.exists()
    assert audited() == [("erase", alice.pk)]


def test_erasure_wants_the_address_again(type_in: Type, alice: User) -> None:
    type_in("bob@example.com")
    with pytest.raises(CommandError, match="nothing was erased"):
        run("erase_user", alice.email)
    assert User.objects.exists()

    type_in(" Alice@example.com ")
    run("erase_user", alice.email)
    assert not User.objects.exists()


def test_erasure_without_a_terminal_wants_noinput(pipe: Pipe, alice: User) -> None:
    pipe(f"{alice.email}\n")

    with pytest.raises(CommandError, match="use --noinput"):
        run("erase_user", alice.email)
    assert User.objects.exists()


@pytest.mark.parametrize("command", [("deactivate",), ("erase_user", "--noinput")])
def test_last_administrator_stays(command: tuple[str, ...]) -> None:
    root = make_user("root", role=Role.ADMIN)

    with pytest.raises(CommandError, match="last active administrator"):
        run(command[0], root.email, *command[1:])
    assert User.objects.filter(role=Role.ADMIN, is_active=True).exists()


@pytest.mark.parametrize("command", ["deactivate", "erase_user"])
def test_erasure_meanwhile_is_told(
    alice: User, command: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*args: Any) -> Any:
        raise User.DoesNotExist

    monkeypatch.setattr(User.objects, "get_to_demote", gone)
    more = ["--noinput"] if command == "erase_user" else []

    with pytest.raises(CommandError, match="erased meanwhile"):
        run(command, alice.email, *more)


@pytest.mark.parametrize("command", ["activate", "deactivate", "erase_user"])
def test_unknown_user_is_told(command: str) -> None:
    with pytest.raises(CommandError, match=r"No user has .* x@y\.z"):
        run(command, "x@y.z")


# list_users


@pytest.fixture
def three(db: None) -> list[User]:
    return [
        make_user("ann", role=Role.ADMIN),
        make_user("bob", is_active=False),
        make_user("Eve\x1b[2J\n", email="eve@example.com"),
    ]


def test_users_are_listed_oldest_first(three: list[User]) -> None:
    day = timezone.now()
    User.objects.update(created_at=day)
    User.objects.filter(name="ann").update(created_at=day.replace(year=2020))
    lines = run("list_users").splitlines()

    assert len(lines) == 3
    assert lines[0].split() == [
        *("ann@example.com", "ADMIN", "active"),
        *(f"{day.replace(year=2020):%Y-%m-%d}", "ann"),
    ]


def test_name_does_not_control_the_terminal(three: list[User]) -> None:
    printed = run("list_users")

    assert "\x1b" not in printed
    assert "Eve\\u001b[2J\\n" in printed


@pytest.mark.parametrize(
    ("options", "emails"),
    [
        ([], ["ann", "bob", "eve"]),
        (["--role", "ADMIN"], ["ann"]),
        (["--active"], ["ann", "eve"]),
        (["--inactive"], ["bob"]),
        (["--role", "ADMIN", "--inactive"], []),
    ],
)
def test_users_are_listed_as_json(
    three: list[User], options: list[str], emails: list[str]
) -> None:
    listed = json.loads(run("list_users", "--json", *options))

    assert [user["email"] for user in listed] == [f"{n}@example.com" for n in emails]
    for user in listed:
        assert user.keys() == {
            *("id", "email", "name", "role", "isActive", "createdAt"),
        }


def test_erased_user_is_not_listed(three: list[User]) -> None:
    run("erase_user", "eve@example.com", "--noinput")

    assert "eve" not in run("list_users")
    assert "invalid" not in run("list_users")


def test_list_is_one_statement(
    three: list[User], django_assert_num_queries: Any
) -> None:
    connection.ensure_connection()
    with django_assert_num_queries(1):
        run("list_users")
