"""What nginx compresses: much, and nothing whose strong ETag it would make weak."""

import gzip
import json
import re
import threading
from collections.abc import Iterator
from contextlib import closing
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.contract.document import document
from tests.deploy.proxy import CONFIGURATION, NGINX, Proxy

ID = "5D2C8E14-3f6b-4a79-8c0d-9e1f2a3b4c5d"
BODY = json.dumps({"items": ["water the plants"] * 500}).encode()


def compresses(method: str, path: str) -> bool:
    """What the `map` of nginx.conf says: the first expression that matches."""
    text = (CONFIGURATION / "nginx.conf").read_text()
    [block] = re.findall(r"\$compresses {(.*?)\n    }", text, re.S)
    lines = re.findall(r'"~(\*?)(.+)" ([01]);', block)
    assert len(lines) == 3
    for any_case, expression, value in lines:
        flags = re.IGNORECASE if any_case else 0
        if re.search(expression, f"{method} {path}", flags):
            return value == "1"
    return False


def test_only_reads_without_a_strong_tag_are_compressed() -> None:
    """Of every route: a weak tag never matches in If-Match (RFC 9110 13.1.1)."""
    strong = {}
    for operation in document().operations.values():
        headers = operation.described["responses"].get("200", {}).get("headers", {})
        tag = headers.get("ETag", {}).get("schema", {}).get("pattern", "^W")
        path = re.sub(r"{\w+}", ID, operation.path)
        is_strong_read = operation.method == "get" and not tag.startswith("^W")
        if operation.method != "get" or is_strong_read:
            strong[operation.name] = compresses(operation.method.upper(), path)

    assert {"getTask", "getMe", "createTask", "login"} <= strong.keys()
    assert [name for name, is_compressed in strong.items() if is_compressed] == []


@pytest.mark.parametrize(
    "path",
    [
        "/api/tasks",
        "/api/tasks/export",
        "/api/tasks/trash",
        f"/api/tasks/{ID}/history",
        "/api/auth/me/export",
        "/api/schema",
        "/static/drf_spectacular_sidecar/swagger-ui-dist/swagger-ui.css",
    ],
)
def test_lists_and_files_are_compressed(path: str) -> None:
    assert compresses("GET", path)


@pytest.mark.parametrize("path", ["/admin/", "/", "/health", "/admin/login/"])
def test_pages_with_secrets_in_them_are_not(path: str) -> None:
    """An attacker who sees the size of a compressed page may guess its CSRF token."""
    assert not compresses("GET", path)


class Upstream(BaseHTTPRequestHandler):
    """Answers every request with the same list and a strong tag."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(BODY)))
        self.send_header("ETag", '"v1"')
        self.end_headers()
        self.wfile.write(BODY)

    do_POST = do_GET

    def log_message(self, *_: object) -> None:
        """Nothing."""


@pytest.fixture(scope="module")
def proxy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Proxy]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Upstream) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        folder: Path = tmp_path_factory.mktemp("proxy")
        proxy = Proxy(folder, [server.server_port] * 2)
        proxy.start()
        yield proxy
        proxy.stop()
        server.shutdown()


NEEDS_NGINX = [
    pytest.mark.deploy,
    pytest.mark.full,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]


@pytest.mark.parametrize(
    ("method", "path", "is_compressed"),
    [
        pytest.param(*each, marks=NEEDS_NGINX)
        for each in [
            ("GET", "/api/tasks?limit=100", True),
            ("GET", f"/api/tasks/{ID}", False),
            ("GET", "/api/auth/me", False),
            ("POST", "/api/tasks", False),
            ("GET", "/admin/", False),
        ]
    ],
)
def test_proxy_compresses_what_it_should(
    proxy: Proxy, method: str, path: str, is_compressed: bool
) -> None:
    _, headers, body = proxy.ask(method, path, Accept_Encoding="gzip, br")

    assert (headers.get("content-encoding") == "gzip") is is_compressed
    if is_compressed:
        assert gzip.decompress(body) == BODY
        assert len(body) < len(BODY) / 10
        assert "accept-encoding" in headers["vary"].lower()
        assert headers["etag"] == 'W/"v1"'
    else:
        assert body == BODY
        assert headers["etag"] == '"v1"'


@pytest.mark.parametrize("path", [pytest.param("/api/tasks", marks=NEEDS_NGINX)])
def test_client_that_accepts_no_compression_gets_none(proxy: Proxy, path: str) -> None:
    _, headers, body = proxy.ask("GET", path)

    assert "content-encoding" not in headers
    assert body == BODY


@pytest.mark.parametrize("path", [pytest.param("/api/tasks", marks=NEEDS_NGINX)])
def test_kept_connection_is_announced(proxy: Proxy, path: str) -> None:
    with closing(proxy.connect()) as connection:
        connection.request("GET", path)
        response = connection.getresponse()
        response.read()

    assert response.headers["Keep-Alive"] == "timeout=65"
