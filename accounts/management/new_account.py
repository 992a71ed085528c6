"""How the commands create an account: by the rules of POST /api/auth/register."""

import getpass
import sys
from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.management.base import CommandError, CommandParser
from django.db import IntegrityError
from rest_framework.exceptions import ValidationError

from accounts import audit, passwords
from accounts.models import Role, User
from accounts.serializers import RegisterSerializer

# Beyond a person's patience, and below that of a script which feeds a terminal.
MAX_TRIES = 5


def add_password_arguments(parser: CommandParser) -> None:
    """The ways to give a password; never an argument, which `ps` and logs show."""
    ways = parser.add_mutually_exclusive_group()
    ways.add_argument(
        "--password-stdin",
        action="store_true",
        help="read the password from the first line of standard input",
    )
    ways.add_argument(
        "--link",
        action="store_true",
        help="set no password; print a token, or a link, that sets one",
    )


def create(email: str, name: str, role: Role, options: dict[str, Any]) -> str:
    """Create an account, as the options say, and return what to tell; CommandError
    with each rule that it breaks.
    """
    email, name = check_free(email, name)
    if options["link"]:
        user = store(email, name, role, None)
        return f"Created {email} with the role {role}. {instruction(user)}"
    store(email, name, role, read_password(email, name, options["password_stdin"]))
    return f"Created {email} with the role {role}."


def create_with(email: str, name: str, role: Role, password: str | None) -> str:
    """Create an account with this password, or without one; CommandError."""
    email, name = check_free(email, name)
    if password is not None:
        check_password(email, name, password)
    store(email, name, role, password)
    return f"Created {email} with the role {role}."


def check_free(email: str, name: str) -> tuple[str, str]:
    email, name = checked("email", email), checked("name", name)
    if User.objects.filter(email__lower=email.lower()).exists():
        raise taken(email)
    return email, name


def store(email: str, name: str, role: Role, password: str | None) -> User:
    try:
        user = User.objects.create_user(email, password, name=name, role=role)
    except IntegrityError as error:
        raise taken(email) from error
    audit.record("user_created", user_id=user.pk, role=role)
    return user


def taken(email: str) -> CommandError:
    hint = "set_role and changepassword change an account."
    return CommandError(f"The e-mail address {email} is already registered; {hint}")


def checked(field: str, value: str | None) -> str:
    """The value as register would store it; CommandError."""
    try:
        return str(RegisterSerializer().fields[field].run_validation(value or ""))
    except ValidationError as error:
        raise CommandError(f"{field}: {' '.join(map(str, error.detail))}") from error


def check_password(email: str, name: str, password: str) -> str:
    """The password; CommandError with each rule of register that it breaks."""
    data = {"email": email, "name": name, "password": password}
    errors = RegisterSerializer(data=data)
    if errors.is_valid():
        return password
    messages = (message for field in errors.errors.values() for message in field)
    raise CommandError(f"password: {' '.join(map(str, messages))}")


def read_password(email: str, name: str, is_piped: bool) -> str:
    if is_piped:
        line = sys.stdin.readline().removesuffix("\n").removesuffix("\r")
        return check_password(email, name, line)
    require_terminal()
    return ask_until_good(lambda: check_password(email, name, ask_twice()))


def require_terminal() -> None:
    if not sys.stdin.isatty():
        hint = "use --password-stdin or --link."
        raise CommandError(f"Standard input is no terminal to ask on; {hint}")


def ask_twice() -> str:
    password = getpass.getpass("Password: ")
    if getpass.getpass("Password (again): ") != password:
        raise CommandError("The passwords are not the same.")
    return password


def ask_until_good(ask: Callable[[], str]) -> str:
    """What `ask` returns; shows why it refuses an answer, and asks again."""
    for _ in range(MAX_TRIES - 1):
        try:
            return ask()
        except CommandError as error:
            print(error, file=sys.stderr)
    return ask()


def instruction(user: User) -> str:
    token, url = passwords.make_reset_token(user), settings.PASSWORD_RESET_URL
    if url:
        return f"To choose a password within the next hour, open {url}{token}"
    call = "POST /api/auth/password/reset"
    return f"The token for {call}, valid for an hour, is: {token}"
