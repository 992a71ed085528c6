"""What a WSGI application is told of a request."""

from typing import Any

import pytest

from taskapi.http.environ import Refusal, check_head, make_environ


def scope(target: bytes = b"/", *headers: tuple[bytes, bytes], **more: Any) -> Any:
    path, _, query = target.partition(b"?")
    return {
        "type": "http",
        "method": "GET",
        "http_version": "1.1",
        "scheme": "https",
        "raw_path": path,
        "query_string": query,
        "headers": headers or [(b"Host", b"a")],
        "server": ("192.0.2.1", 8000),
        "client": ("192.0.2.2", 1234),
    } | more


def checked(asked: Any) -> dict[str, Any]:
    environ = make_environ(asked)
    check_head(environ, asked["raw_path"])
    return environ


def test_request_is_named_as_pep_3333_names_it() -> None:
    headers = [
        (b"HOST", b"api.example.com"),
        (b"content-type", b"application/json"),
        (b"Content-Length", b"12"),
        (b"X-Name", b"Caf\xe9"),
        (b"Empty", b""),
    ]
    environ = checked(scope(b"/a/b?c=d%20e&f", *headers, method="POST"))

    assert {k: v for k, v in environ.items() if not k.startswith("wsgi.")} == {
        "REQUEST_METHOD": "POST",
        "SCRIPT_NAME": "",
        "PATH_INFO": "/a/b",
        "QUERY_STRING": "c=d%20e&f",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "SERVER_NAME": "192.0.2.1",
        "SERVER_PORT": "8000",
        "REMOTE_ADDR": "192.0.2.2",
        "REMOTE_PORT": "1234",
        "HTTP_HOST": "api.example.com",
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": "12",
        "HTTP_X_NAME": "Caf\u00e9",
        "HTTP_EMPTY": "",
    }


def test_scheme_is_not_the_servers_to_say() -> None:
    """SECURE_PROXY_SSL_HEADER decides, and it is set with NUM_PROXIES only."""
    assert make_environ(scope())["wsgi.url_scheme"] == "http"


def test_unix_socket_has_no_addresses() -> None:
    environ = make_environ(scope(server=None, client=None))

    assert (environ["SERVER_NAME"], environ["REMOTE_ADDR"]) == ("localhost", "")


@pytest.mark.parametrize(
    ("name", "key", "value"),
    [
        (b"X-Forwarded-For", "HTTP_X_FORWARDED_FOR", "1,2"),
        (b"Cookie", "HTTP_COOKIE", "1; 2"),
    ],
)
def test_repeated_fields_become_a_list(name: bytes, key: str, value: str) -> None:
    environ = make_environ(scope(b"/", (name, b"1"), (name.lower(), b"2")))

    assert environ[key] == value


@pytest.mark.parametrize(
    "name", [b"X_Forwarded_For", b"Content_Length", b"X-Forwarded_For", b"_"]
)
def test_field_that_would_pass_for_another_is_left_out(name: bytes) -> None:
    fields = [(name, b"203.0.113.1"), (b"X-Forwarded-For", b"192.0.2.1")]
    environ = make_environ(scope(b"/", *fields))

    assert environ["HTTP_X_FORWARDED_FOR"] == "192.0.2.1"
    assert "203.0.113.1" not in environ.values()


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", "/", ""),
        (b"//a//b", "//a//b", ""),
        (b"/a%00b%2Fc%C3%A9", "/a\0b/c\u00c3\u00a9", ""),
        (b"/%zz%", "/%zz%", ""),
        (b"/?a?b=/c", "/", "a?b=/c"),
        (b"/../a", "/../a", ""),
        (b"http://b/c?d", "/c", "d"),
        (b"HTTPS://b", "", ""),
        (b"http://b?c", "", "c"),
    ],
)
def test_target(target: bytes, path: str, query: str) -> None:
    environ = checked(scope(target))

    assert (environ["PATH_INFO"], environ["QUERY_STRING"]) == (path, query)
    # RFC 9112 section 3.2.2: the host of the target counts, not the header.
    assert environ["HTTP_HOST"] == ("a" if target[:1] == b"/" else "b")


def test_asterisk_is_for_options() -> None:
    assert checked(scope(b"*", method="OPTIONS"))["PATH_INFO"] == "*"


HOST = (b"Host", b"a")


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (scope(b"*"), 400),
        (scope(b"a:443", method="CONNECT"), 400),
        (scope(b"ftp://a/"), 400),
        (scope(b"/", (b"Accept", b"*/*")), 400),
        (scope(b"/", HOST, (b"Transfer-Encoding", b"gzip, chunked")), 400),
        (scope(b"/", HOST, (b"Expect", b"wonders")), 417),
    ],
)
def test_head_that_is_refused(asked: Any, status: int) -> None:
    with pytest.raises(Refusal) as refusal:
        checked(asked)

    assert refusal.value.args[0] == status


@pytest.mark.parametrize(
    "asked",
    [
        scope(b"/", (b"Accept", b"*/*"), http_version="1.0"),
        scope(b"/", HOST, (b"Expect", b"100-Continue")),
        scope(b"/", HOST, (b"Transfer-Encoding", b"Chunked")),
    ],
)
def test_head_that_is_not_refused(asked: Any) -> None:
    checked(asked)
