import ast
import os
import re
import runpy
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured

from taskapi import env_file
from taskapi.api.rate_limit import RateLimit
from taskapi.settings.environment import SERVER_VARIABLES

ROOT: Path = settings.BASE_DIR
KEYS = {
    "SECRET_KEY": "one-abcdefghijklmnopqrstuvwxyz0123456789-ABCDEFGHIJK",
    "JWT_ACCESS_SECRET": "two-abcdefghijklmnopqrstuvwxyz0123456789",
    "JWT_REFRESH_SECRET": "three-abcdefghijklmnopqrstuvwxyz0123456789",
}
Load = Callable[..., dict[str, Any]]


@pytest.fixture
def load(monkeypatch: pytest.MonkeyPatch) -> Load:
    """The settings, read anew from the keys and what is given; None unsets."""

    def run(**variables: str | None) -> dict[str, Any]:
        for name in os.environ:
            monkeypatch.delenv(name)
        for name, value in (KEYS | variables).items():
            if value is not None:
                monkeypatch.setenv(name, value)
        return runpy.run_path(str(ROOT / "taskapi" / "settings" / "__init__.py"))

    return run


@pytest.fixture
def refusal(load: Load) -> Callable[..., str]:
    def refused(**variables: str | None) -> str:
        with pytest.raises(ImproperlyConfigured) as caught:
            load(**variables)
        return str(caught.value)

    return refused


Refusal = Callable[..., str]


def test_keys_are_all_that_is_required(load: Load) -> None:
    found = load()

    assert found["DEBUG"] is False
    assert found["SECRET_KEY"] == KEYS["SECRET_KEY"]
    assert found["ALLOWED_HOSTS"] == ["localhost", "127.0.0.1", "[::1]"]
    assert found["CORS_ALLOWED_ORIGINS"] == []
    assert found["RATE_LIMITS"] == {
        "address": RateLimit(600, 900),
        "auth": RateLimit(10, 900),
        "login": RateLimit(10, 900),
        "refresh": RateLimit(10, 900),
        "tokens": RateLimit(3000, 60),
        "user": RateLimit(600, 60),
    }
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is True
    assert found["SECURE_HSTS_SECONDS"] == 31_536_000
    assert found["NUM_PROXIES"] == 0
    assert found["SECURE_PROXY_SSL_HEADER"] is None


@pytest.mark.parametrize("name", KEYS)
@pytest.mark.parametrize("value", [None, "", "  "])
def test_each_key_is_required(refusal: Refusal, name: str, value: str | None) -> None:
    assert f"  {name}: " in refusal(**{name: value})


BAD = {
    "SECRET_KEY": "hunter2-too-short-for-a-key-0123456789-abcdefghi",
    "JWT_ACCESS_SECRET": "hunter2-0123456789-abcdefghijkl",
    "JWT_REFRESH_SECRET": "hunter2hunter2hunter2hunter2hunter2hunter2hunter2",
    "JWT_ACCESS_SECRET_PREVIOUS": "hunter2",
    "JWT_REFRESH_SECRET_PREVIOUS": "hunter2",
    "DATABASE_URL": "postgres://user:hunter2@host:notaport/name",
    "REDIS_URL": "http://:hunter2@host",
    "PASSWORD_RESET_URL": "hunter2",
    "EMAIL_CHANGE_URL": "hunter2",
    "DEFAULT_FROM_EMAIL": "hunter2",
    "ALLOWED_HOSTS": "*",
    "HSTS_INCLUDE_SUBDOMAINS": "perhaps",
    "HSTS_PRELOAD": "perhaps",
    "EMAIL_URL": "smtp://user:hunter2@host:notaport",
    "DEBUG": "perhaps",
    "HTTPS": "perhaps",
    "PASSWORD_BLOCKLIST": "perhaps",
    "REGISTRATION": "perhaps",
    "CORS_ALLOWED_ORIGINS": "https://app.example.com,app.example.com",
    "NUM_PROXIES": "-1",
    "ACCESS_TOKEN_SECONDS": "0",
    "REFRESH_TOKEN_DAYS": "0",
    "SESSION_DAYS": "a month",
    "REFRESH_GRACE_SECONDS": "61",
    "DATABASE_PREPARE": "perhaps",
    "RATE_LIMIT_AUTH": "10/m15",
    "RATE_LIMIT_LOGIN": "ten/15m",
    "RATE_LIMIT_REFRESH": "0/15m",
    "RATE_LIMIT_USER": "600",
    "RATE_LIMIT_TOKENS": "3000",
    "QUOTA_TOKENS": "0",
    "MAX_BODY_BYTES": "4MB",
    "LIST_CACHE_SECONDS": "-1",
    "TRASH_RETENTION_DAYS": "1.5",
    "IDEMPOTENCY_HOURS": "0",
    "LOG_LEVEL": "loud",
    "METRICS_TOKEN": "hunter2-0123456",
    "OTEL_EXPORTER_OTLP_ENDPOINT": "hunter2:4318",
}


def test_everything_wrong_is_told_at_once_and_no_secret_with_it(
    refusal: Refusal,
) -> None:
    told = refusal(**BAD)

    named = set(re.findall(r"^  ([A-Z_]+): \S", told, re.MULTILINE))
    assert named == set(BAD)
    assert "hunter2" not in told


@pytest.mark.parametrize("name", BAD)
def test_each_bad_variable_is_refused_alone(refusal: Refusal, name: str) -> None:
    told = refusal(**{name: BAD[name]})

    assert re.findall(r"^  ([A-Z_]+): ", told, re.MULTILINE) == [name]
    assert "hunter2" not in told


def test_weak_key_is_told_how_to_make_a_strong_one(refusal: Refusal) -> None:
    assert "secrets.token_urlsafe(48)" in refusal(JWT_ACCESS_SECRET="short")


@pytest.mark.parametrize("name", KEYS)
def test_long_key_of_few_characters_is_refused(refusal: Refusal, name: str) -> None:
    assert f"  {name}: " in refusal(**{name: "abc" * 40})


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("SECRET_KEY", "JWT_ACCESS_SECRET"),
        ("SECRET_KEY", "JWT_REFRESH_SECRET"),
        ("JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"),
    ],
)
def test_equal_keys_are_refused(refusal: Refusal, one: str, other: str) -> None:
    same = KEYS["SECRET_KEY"]
    told = refusal(**{one: same, other: same})

    assert "must all differ" in told
    assert same not in told


def test_any_host_and_any_mail_scheme_are_refused(refusal: Refusal) -> None:
    told = refusal(ALLOWED_HOSTS="a.example, *", EMAIL_URL="bogus://host")

    assert "  ALLOWED_HOSTS: " in told
    assert "  EMAIL_URL: " in told


@pytest.mark.parametrize(
    ("value", "remedy"),
    [
        ("https://api.example.com", "Write api.example.com instead of"),
        ("https://api.example.com:8443/x", "Write api.example.com instead of"),
        ("api.example.com:8443", "Write api.example.com instead of"),
        ("a.example b.example", "Write a.example,b.example instead of"),
        ("a.example;b.example", "Write a.example,b.example instead of"),
        ("*.example.com", "Write .example.com instead of"),
        ("api.example.com.", "Write api.example.com instead of"),
        ('["a.example"]', "Write a.example instead of"),
        ("bücher.example", "Write xn--bcher-kva.example instead of"),
        ("::1", "Write [::1] instead of"),
        ("[0::1]:8000", "Write [::1] instead of"),
        ("10.0.0.0/8", "is a range: list each address"),
        ("10.0.0.0-10.0.0.9", "is not a host name such as"),
        ("my_host", "is not a host name such as"),
        ("a.example,", "There is a comma too many."),
        ("*", "List the hosts; * would accept any Host header."),
    ],
)
def test_host_that_no_client_names_is_refused_with_the_right_spelling(
    refusal: Refusal, value: str, remedy: str
) -> None:
    told = refusal(ALLOWED_HOSTS=value)

    assert "  ALLOWED_HOSTS: " in told
    assert remedy in told


@pytest.mark.parametrize(
    "value", ["EXAMPLE.com", ".example.com", "10.0.0.1", "[::1]", "a, b-c.example"]
)
def test_host_that_clients_name_is_accepted(load: Load, value: str) -> None:
    assert load(ALLOWED_HOSTS=value)["ALLOWED_HOSTS"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("PASSWORD_RESET_URL", "app.example.com/reset?token="),
        ("DEFAULT_FROM_EMAIL", "no-reply"),
        ("REDIS_URL", "redis://host:notaport/0"),
    ],
)
def test_value_that_would_fail_after_the_start_is_refused(
    refusal: Refusal, name: str, value: str
) -> None:
    assert f"  {name}: " in refusal(**{name: value})


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("REDIS_ULR", "REDIS_URL"),
        ("NUM_PROXY", "NUM_PROXIES"),
        ("secret_key", "SECRET_KEY"),
        ("WEB_CONCURENCY", "WEB_CONCURRENCY"),
        ("DATABASE_URL_FLE", "DATABASE_URL_FILE"),
    ],
)
def test_misspelt_name_in_the_env_file_is_told_with_the_right_one(
    refusal: Refusal, monkeypatch: pytest.MonkeyPatch, name: str, meant: str
) -> None:
    monkeypatch.setattr(env_file, "names", {name})

    assert f"  {name}: There is no such variable. Is {meant} meant?" in refusal()


def test_names_of_other_programs_in_the_env_file_are_accepted(
    load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    others = {"TASKAPI_PORT", "COMPOSE_PROJECT_NAME", "POSTGRES_PASSWORD", "PATH"}
    monkeypatch.setattr(env_file, "names", others | {"SECRET_KEY_FILE", "PORT"})

    assert load()["MISSPELT_VARIABLES"] == {}


def test_misspelt_name_in_the_environment_is_kept_for_the_checks(load: Load) -> None:
    assert load(REDIS_ULR="x")["MISSPELT_VARIABLES"] == {"REDIS_ULR": "REDIS_URL"}


def test_variables_of_the_server_are_known() -> None:
    server = set(names_read("gunicorn.conf.py")) - read_by_settings()

    assert server == SERVER_VARIABLES


def test_subdomains_have_hsts_only_if_asked(load: Load, refusal: Refusal) -> None:
    both = "SECURE_HSTS_INCLUDE_SUBDOMAINS", "SECURE_HSTS_PRELOAD"
    asked = {"HSTS_INCLUDE_SUBDOMAINS": "true", "HSTS_PRELOAD": "true"}
    usual, found = load(), load(**asked)

    assert [usual[name] for name in both] == [False, False]
    assert usual["SECURE_HSTS_SECONDS"] == 31_536_000
    assert [found[name] for name in both] == [True, True]
    assert "  HSTS_PRELOAD: " in refusal(HSTS_INCLUDE_SUBDOMAINS="", HSTS_PRELOAD="1")


def test_env_file_sets_what_the_environment_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(env_file, "names", set())
    monkeypatch.setenv("PORT", "1")
    monkeypatch.setenv("LOG_LEVEL", "")
    monkeypatch.delenv("JWT_ISSUER", raising=False)
    file = tmp_path / ".env"
    file.write_text("PORT=2\nexport JWT_ISSUER='some one'\nLOG_LEVEL=DEBUG\n")
    env_file.load(file)

    assert os.environ["PORT"] == "1"
    assert os.environ["LOG_LEVEL"] == ""
    assert os.environ.pop("JWT_ISSUER") == "some one"
    assert env_file.names == {"PORT", "JWT_ISSUER", "LOG_LEVEL"}


def test_env_file_that_is_no_text_is_refused_in_a_sentence(tmp_path: Path) -> None:
    file = tmp_path / ".env"
    file.write_bytes(b"SECRET_KEY=\xff\xfe")

    with pytest.raises(SystemExit, match=f"taskapi: cannot read {file}: it is no"):
        env_file.load(file)


@pytest.mark.parametrize("command", ["serve", "gunicorn"])
def test_server_reads_the_env_file_as_commands_do(
    monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    read: list[str] = []
    monkeypatch.setattr(env_file, "load", lambda: read.append(command))
    run = {"gunicorn": "gunicorn.conf.py", "serve": "manage.py"}[command]
    monkeypatch.setattr("sys.argv", ["manage.py", "version"])
    runpy.run_path(str(ROOT / run), run_name="__main__")

    assert read


@pytest.mark.parametrize(
    "url",
    ["nonsense", "mysql://user:hunter2@host/name", "://", "postgres://u:hunt[er2@h/n"],
)
def test_bogus_database_is_refused(refusal: Refusal, url: str) -> None:
    told = refusal(DATABASE_URL=url)

    assert "DATABASE_URL: " in told
    assert "hunt" not in told


@pytest.mark.parametrize("url", ["localhost:6379", "http://host", "memcached://host"])
def test_bogus_redis_is_refused(refusal: Refusal, url: str) -> None:
    assert "  REDIS_URL: " in refusal(REDIS_URL=url)


@pytest.mark.parametrize(
    "origin",
    [
        "*",
        "https://*",
        "https://*.example.com",
        "app.example.com",
        "null",
        "https://",
        "https://a.example/",
        "https://a.example/path",
        "ftp://a.example",
    ],
)
def test_origin_that_is_none_is_refused(refusal: Refusal, origin: str) -> None:
    assert "  CORS_ALLOWED_ORIGINS: " in refusal(CORS_ALLOWED_ORIGINS=origin)


def test_origins_are_split_at_commas(load: Load) -> None:
    found = load(CORS_ALLOWED_ORIGINS="https://a.example,http://localhost:3000")

    origins = ["https://a.example", "http://localhost:3000"]
    assert found["CORS_ALLOWED_ORIGINS"] == origins


@pytest.mark.parametrize(
    ("text", "limit"),
    [("10/15m", (10, 900)), ("1/s", (1, 1)), ("5/2h", (5, 7200)), ("9/1d", (9, 86400))],
)
def test_limit_is_read(load: Load, text: str, limit: tuple[int, int]) -> None:
    assert load(RATE_LIMIT_USER=text)["RATE_LIMITS"]["user"] == RateLimit(*limit)


@pytest.mark.parametrize(
    "text",
    ["10", "10/", "/m", "10/m15", "10/15", "10/0m", "0/m", "-1/m", "1.5/m", "10/-1m"],
)
def test_limit_that_is_none_is_refused(refusal: Refusal, text: str) -> None:
    told = refusal(RATE_LIMIT_AUTH=text)

    assert f"  RATE_LIMIT_AUTH: {text!r} is not a limit such as 10/15m" in told


def test_empty_variable_is_an_unset_one(load: Load) -> None:
    optional = {name: "" for name in read_by_settings() - KEYS.keys()}
    empty, unset = load(**optional), load()

    assert {name for name in BAD if name in unset} > {"LOG_LEVEL", "REDIS_URL"}
    for name in unset:
        if name.isupper() and name != "REDIS_CACHE" and name != "CACHES":
            assert empty[name] == unset[name], name


def test_key_is_read_from_a_file(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEYS["SECRET_KEY"] + "\n")
    found = load(SECRET_KEY=None, SECRET_KEY_FILE=str(file))

    assert found["SECRET_KEY"] == KEYS["SECRET_KEY"]


def test_url_is_read_from_a_file(load: Load, tmp_path: Path) -> None:
    file = tmp_path / "url"
    file.write_text("postgres://user:hunter2@host:5433/name\n")
    found = load(DATABASE_URL_FILE=str(file))

    expected = {"NAME": "name", "HOST": "host", "PORT": 5433, "PASSWORD": "hunter2"}
    assert found["DATABASES"]["default"].items() >= expected.items()


@pytest.mark.parametrize(
    ("value", "threshold"), [(None, 5), ("true", 5), ("false", None)]
)
def test_statements_are_prepared_unless_told_otherwise(
    load: Load, value: str | None, threshold: int | None
) -> None:
    found = load(DATABASE_URL="postgresql://host/name", DATABASE_PREPARE=value)
    database = found["DATABASES"]["default"]

    assert database["ENGINE"] == "taskapi.db.postgresql"
    assert database["OPTIONS"]["prepare_threshold"] == threshold


@pytest.mark.parametrize("url", ["postgres://host/name", "sqlite:///name"])
def test_each_thread_keeps_its_connection(load: Load, url: str) -> None:
    database = load(DATABASE_URL=url)["DATABASES"]["default"]

    assert database["CONN_MAX_AGE"] is None
    assert database["CONN_HEALTH_CHECKS"] is True
    assert "pool" not in database["OPTIONS"]


def test_missing_file_is_named(refusal: Refusal, tmp_path: Path) -> None:
    told = refusal(SECRET_KEY=None, SECRET_KEY_FILE=str(tmp_path / "nowhere"))

    assert "  SECRET_KEY: SECRET_KEY_FILE is not a readable text file." in told


def test_file_that_is_no_text_is_refused(refusal: Refusal, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_bytes(b"\xff\xfe" * 40)
    told = refusal(SECRET_KEY=None, SECRET_KEY_FILE=str(file))

    assert "  SECRET_KEY: SECRET_KEY_FILE is not a readable text file." in told


def test_weak_key_in_a_file_is_refused(refusal: Refusal, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text("hunter2")
    told = refusal(SECRET_KEY=None, SECRET_KEY_FILE=str(file))

    assert "  SECRET_KEY: " in told
    assert "hunter2" not in told


def test_forwarded_scheme_is_believed_behind_a_proxy_only(load: Load) -> None:
    header = ("HTTP_X_FORWARDED_PROTO", "https")

    assert load(NUM_PROXIES="1")["SECURE_PROXY_SSL_HEADER"] == header


def test_plain_http_has_plain_cookies_and_no_hsts(load: Load) -> None:
    found = load(HTTPS="false")

    assert found["SECURE_HSTS_SECONDS"] == 0
    assert found["SESSION_COOKIE_SECURE"] is found["CSRF_COOKIE_SECURE"] is False


def test_blocklist_adds_its_validator(load: Load) -> None:
    def names(**variables: str) -> list[str]:
        validators = load(**variables)["AUTH_PASSWORD_VALIDATORS"]
        return [each["NAME"].rpartition(".")[2] for each in validators]

    assert "CommonPasswordValidator" in names()
    assert "CommonPasswordValidator" not in names(PASSWORD_BLOCKLIST="false")


def test_redis_is_used_when_given(load: Load) -> None:
    found = load(REDIS_URL="redis://:hunter2@host:6379/1")

    assert found["CACHES"]["default"]["LOCATION"] == "redis://:hunter2@host:6379/1"


@pytest.mark.parametrize("is_installed", [True, False])
def test_tracing_needs_its_packages(
    load: Load, monkeypatch: pytest.MonkeyPatch, is_installed: bool
) -> None:
    spec = object() if is_installed else None
    monkeypatch.setattr("taskapi.settings.environment.find_spec", lambda name: spec)
    url = "http://localhost:4318"

    if is_installed:
        first = load(OTEL_EXPORTER_OTLP_ENDPOINT=url)["MIDDLEWARE"][0]
        assert first == "taskapi.http.tracing.TracingMiddleware"
    else:
        reason = "Tracing needs: .*/python -m pip install -r requirements-tracing.txt"
        with pytest.raises(ImproperlyConfigured, match=reason):
            load(OTEL_EXPORTER_OTLP_ENDPOINT=url)


READERS = re.compile(
    r"os\.environ\.get|env\.\w+|signing_key|positive_int|integer|boolean|csv"
)


def names_read(path: str) -> Iterator[str]:
    """What a file takes from the environment: the first word given to a reader."""
    for node in ast.walk(ast.parse((ROOT / path).read_text())):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        first = node.args[0]
        name = first.value if isinstance(first, ast.Constant) else ""
        if READERS.fullmatch(ast.unparse(node.func)) and str(name).isupper():
            yield str(name)


def read_by_settings() -> set[str]:
    return set(names_read("taskapi/settings/__init__.py"))


def read() -> set[str]:
    return read_by_settings() | set(names_read("gunicorn.conf.py"))


def test_reading_finds_the_variables() -> None:
    assert len(read()) > 35
    assert read_by_settings() > set(BAD)
    assert {"HOST", "PORT", "WEB_CONCURRENCY", "WEB_THREADS"} < read()


def test_example_file_has_every_variable_and_no_other() -> None:
    lines = (ROOT / ".env.example").read_text()

    assert set(re.findall(r"^#? ?([A-Z_]+)=", lines, re.MULTILINE)) == read()


def test_settings_page_has_every_variable_and_no_other() -> None:
    page = (ROOT / "docs" / "settings.md").read_text()
    section = page.partition("\n## Variables\n")[2].partition("\n## ")[0]

    assert set(re.findall(r"^\| `([A-Z_]+)` \|", section, re.MULTILINE)) == read()


def test_example_file_with_keys_is_the_defaults(load: Load) -> None:
    example = (ROOT / ".env.example").read_text()
    pairs = dict(re.findall(r"^([A-Z_]+)=(.*)$", example, re.MULTILINE))
    example_settings, defaults = load(**pairs | KEYS), load()

    for name in read_by_settings() & defaults.keys():
        assert example_settings[name] == defaults[name], name
