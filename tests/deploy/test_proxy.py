"""Nginx as configured for compose, before two servers as the image runs them."""

import json
import re
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, suppress
from functools import partial
from pathlib import Path
from uuid import uuid4

import pytest

from tests.deploy.image import free_port
from tests.deploy.proxy import CONFIGURATION, NGINX, Proxy, Replica, until
from tests.live.corpus import framing
from tests.live.hostile import Client

pytestmark = [
    pytest.mark.deploy,
    pytest.mark.full,
    pytest.mark.skipif(NGINX is None, reason="nginx is not installed"),
]

Start = Callable[..., Proxy]
Answer = tuple[int, dict[str, str], bytes]
JSON = {"Content_Type": "application/json"}
MAX_BODY_BYTES = 4 * 1024 * 1024
ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a proxy for these ports, with changes to its configuration."""
    with ExitStack() as stack:

        def starter(ports: list[int], **changes: str) -> Proxy:
            proxy = Proxy(tmp_path / "proxy", ports, **changes)
            proxy.start()
            stack.callback(proxy.stop)
            return proxy

        (tmp_path / "proxy").mkdir()
        yield starter


@pytest.fixture(scope="module")
def proxy(
    replicas: list[Replica], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Proxy]:
    ports = [replica.port for replica in replicas]
    proxy = Proxy(tmp_path_factory.mktemp("proxy"), ports)
    proxy.start()
    yield proxy
    proxy.stop()


@pytest.fixture
def mute() -> Iterator[int]:
    """A port that takes requests and never answers."""
    with closing(socket.create_server(("127.0.0.1", 0), backlog=200)) as listener:
        yield int(listener.getsockname()[1])


def assert_refused(answer: Answer, status: int, code: str) -> None:
    """It is the one error shape, of the proxy's own making."""
    found, headers, body = answer
    assert found == status
    error = json.loads(body)
    assert error.keys() == {"error", "requestId"}
    assert error["error"].keys() == {"code", "message"}
    assert error["error"]["code"] == code
    assert error["error"]["message"]
    assert ID.fullmatch(error["requestId"])
    assert headers["x-request-id"] == error["requestId"]
    assert headers["content-type"] == "application/json"
    assert headers["cache-control"] == "no-store"
    # The API sends it with everything.
    assert "content-security-policy" not in headers
    assert ("retry-after" in headers) == (status in {429, 502, 503, 504})


def account() -> str:
    email = f"{uuid4().hex}@example.com"
    return json.dumps({"name": "A", "email": email, "password": "grey heron 7 lamps"})


def register(proxy: Proxy, **headers: str) -> Answer:
    return proxy.ask("POST", "/api/auth/register", account(), **JSON, **headers)


def raw(proxy: Proxy, message: bytes, *, tls: bool = True) -> Answer:
    """Send bytes as they are; what comes back."""
    plain = socket.create_connection(("localhost", proxy.port), timeout=10)
    context = ssl.create_default_context(cafile=proxy.folder / "tls_certificate")
    with closing(
        context.wrap_socket(plain, server_hostname="localhost") if tls else plain
    ) as connection:
        connection.sendall(message)
        data = b"".join(iter(partial(connection.recv, 65536), b""))
    head, _, body = data.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    pairs = (line.split(": ", 1) for line in lines)
    return int(first.split()[1]), {n.lower(): v for n, v in pairs}, body


def test_configuration_passes_nginxs_own_check(start: Start) -> None:
    proxy = start([free_port(), free_port()])

    done = subprocess.run(
        proxy.command("-t"), capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "[warn]" not in proxy.errors()


def test_names_of_compose_pass_nginxs_own_check(tmp_path: Path) -> None:
    version = subprocess.run([str(NGINX), "-v"], capture_output=True, text=True).stderr
    numbers = tuple(map(int, version.rpartition("/")[2].split(".")[:3]))
    if numbers < (1, 27, 3):
        pytest.skip(f"nginx {numbers} does not know `resolve`; the image's does")
    proxy = Proxy(tmp_path, [])
    names = (CONFIGURATION / "upstream.conf").read_text()
    (tmp_path / "upstream.conf").write_text(names)
    subprocess.run(proxy.command("-t"), check=True)


def test_request_reaches_the_api_with_its_id(proxy: Proxy) -> None:
    status, headers, body = proxy.ask(
        "GET", "/health", X_Request_Id="from.the-client_1"
    )

    assert status == 200
    assert json.loads(body)["database"] == "ok"
    assert headers["x-request-id"] == "from.the-client_1"
    # Only told over what the API takes for TLS.
    assert headers["strict-transport-security"].startswith("max-age=")


def test_id_that_is_none_is_replaced(proxy: Proxy) -> None:
    _, headers, _ = proxy.ask("GET", "/livez", X_Request_Id="x" * 65)

    assert re.fullmatch(r"[0-9a-f]{32}", headers["x-request-id"])


def test_error_of_the_api_is_passed_on_as_it_is(proxy: Proxy) -> None:
    status, headers, body = proxy.ask("GET", "/api/tasks")

    assert status == 401
    assert headers["www-authenticate"].startswith("Bearer")
    assert json.loads(body)["error"]["code"] == "AUTHENTICATION_ERROR"


def test_body_of_the_limit_reaches_the_api(proxy: Proxy) -> None:
    body = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'

    status, _, answer = proxy.ask("POST", "/api/tasks", body, **JSON)

    assert status == 401
    assert json.loads(answer)["error"]["code"] == "AUTHENTICATION_ERROR"


def test_refusal_of_a_large_body_is_passed_on(proxy: Proxy) -> None:
    """The API refuses it without reading; the proxy still sends."""
    body = b'"' + b"x" * (MAX_BODY_BYTES - 2) + b'"'

    statuses = {proxy.ask("POST", "/api/tasks", body, **JSON)[0] for _ in range(20)}

    assert statuses == {401}


def test_body_over_the_limit_is_refused(proxy: Proxy) -> None:
    answer = proxy.ask("POST", "/api/tasks", b"x" * (MAX_BODY_BYTES + 1), **JSON)

    assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_body_in_chunks_over_the_limit_is_refused(proxy: Proxy) -> None:
    chunk = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"

    answer = raw(
        proxy,
        b"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n" + chunk * 5 + b"0\r\n\r\n",
    )

    assert_refused(answer, 413, "PAYLOAD_TOO_LARGE")


def test_body_in_chunks_reaches_the_api_whole(proxy: Proxy) -> None:
    status, _, body = proxy.ask("POST", "/api/auth/login", iter([b"{", b"]"]), **JSON)

    assert status == 400
    assert json.loads(body)["error"]["code"] == "MALFORMED_JSON"


def send_raw(proxy: Proxy, message: bytes) -> None:
    """Send bytes as they are; the answer does not matter."""
    context = ssl.create_default_context(cafile=proxy.folder / "tls_certificate")
    plain = socket.create_connection(("localhost", proxy.port), timeout=10)
    with closing(context.wrap_socket(plain, server_hostname="localhost")) as client:
        client.settimeout(0.2)
        with suppress(OSError):
            client.sendall(message)
            client.recv(65536)


def test_no_request_hides_in_another(proxy: Proxy) -> None:
    """The proxy sends requests of many clients on one connection: where it and the
    server disagree on the end of one, the next client gets a response to the rest.
    """
    client = Client({"~TOKEN~": "a", "~TASK~": str(uuid4())})
    for case in framing.CASES:
        send_raw(proxy, client.fill(case.message))
        for _ in range(2):
            number = uuid4().hex
            status, headers, body = proxy.ask("GET", "/livez", X_Request_Id=number)
            seen = status, headers["x-request-id"], json.loads(body)
            assert seen == (200, number, {"status": "ok"}), case.name


def test_connections_to_the_api_are_kept(start: Start) -> None:
    with closing(Counter()) as api:
        proxy = start([api.port, api.port])
        statuses = [proxy.ask("GET", "/livez")[0] for _ in range(20)]

    assert statuses == [200] * 20
    # Each of nginx's two processes keeps its own, one for each server.
    assert api.accepted <= 4


class Counter:
    """A server that counts its connections, and keeps them."""

    response = b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.connections: list[socket.socket] = []
        self.threads = [threading.Thread(target=self.run)]
        self.threads[0].start()

    @property
    def accepted(self) -> int:
        return len(self.connections)

    def run(self) -> None:
        with suppress(OSError):
            while True:
                self.connections.append(self.listener.accept()[0])
                answer = threading.Thread(
                    target=self.answer, args=self.connections[-1:]
                )
                self.threads.append(answer)
                answer.start()

    def answer(self, connection: socket.socket) -> None:
        with connection:
            while connection.recv(65536):
                connection.sendall(self.response)

    def close(self) -> None:
        for each in [self.listener, *self.connections]:
            with suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        for thread in self.threads:
            thread.join()
        self.listener.close()


def test_url_that_is_too_long_is_refused(proxy: Proxy) -> None:
    answer = proxy.ask("GET", "/api/tasks?q=" + "x" * 4000)

    assert_refused(answer, 414, "URI_TOO_LONG")


@pytest.mark.parametrize(
    "message",
    [
        b"nonsense\r\n\r\n",
        b"GET / HTTP/1.1\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: localhost\r\nX-Long: "
        + b"x" * 5000
        + b"\r\n\r\n",
        b"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n",
    ],
)
def test_request_that_is_none_is_refused(proxy: Proxy, message: bytes) -> None:
    assert_refused(raw(proxy, message), 400, "BAD_REQUEST")


def test_plain_http_is_refused_and_not_redirected(proxy: Proxy) -> None:
    answer = raw(proxy, b"GET /livez HTTP/1.1\r\nHost: localhost\r\n\r\n", tls=False)

    assert_refused(answer, 400, "BAD_REQUEST")


def test_trace_is_refused(proxy: Proxy) -> None:
    assert_refused(proxy.ask("TRACE", "/livez"), 405, "METHOD_NOT_ALLOWED")


@pytest.mark.parametrize("path", ["/metrics", "/metrics/", "/metrics?name=x"])
def test_metrics_are_not_public(proxy: Proxy, path: str) -> None:
    assert_refused(proxy.ask("GET", path), 404, "NOT_FOUND")


def test_errors_page_is_no_route(proxy: Proxy) -> None:
    assert_refused(proxy.ask("GET", "/.error"), 404, "NOT_FOUND")


def test_forged_address_is_not_believed(proxy: Proxy) -> None:
    """Three calls an address and replica are allowed: RATE_LIMIT_AUTH in conftest."""
    statuses = [
        register(
            proxy,
            X_Forwarded_For=f"192.0.2.{number}",
            X_Real_IP=f"192.0.2.{number}",
            Forwarded=f"for=192.0.2.{number}",
        )[0]
        for number in range(10)
    ]

    assert statuses.count(201) <= 6
    assert statuses.count(429) == 10 - statuses.count(201)


def test_log_line_has_no_query(proxy: Proxy) -> None:
    proxy.ask("GET", "/api/tasks?q=private", X_Request_Id="to-find-the-line")

    log = proxy.folder / "access.log"
    # It is written after the answer was sent.
    until(lambda: "to-find-the-line" in log.read_text(), proxy.process)
    lines = map(json.loads, log.read_text().splitlines())
    line = next(each for each in lines if each["requestId"] == "to-find-the-line")
    assert line["status"] == line["upstreamStatus"] == "401"
    assert line["path"] == "/api/tasks"
    assert line["address"] == "127.0.0.1"


def test_stalled_clients_hold_up_nobody(proxy: Proxy) -> None:
    """More than twice as many as both servers have threads."""
    head = (
        b"POST /api/auth/logout HTTP/1.1\r\nHost: localhost\r\n"
        b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
    )
    context = ssl.create_default_context(cafile=proxy.folder / "tls_certificate")
    with ExitStack() as stack:
        for number in range(40):
            plain = socket.create_connection(("localhost", proxy.port))
            stalled = context.wrap_socket(plain, server_hostname="localhost")
            stack.callback(stalled.close)
            stalled.sendall(head if number % 2 else head[:40])
        started = time.monotonic()

        status, _, _ = proxy.ask("GET", "/readyz")

    assert status == 200
    assert time.monotonic() - started < 2


@pytest.fixture(scope="module")
def export(proxy: Proxy, replicas: list[Replica]) -> bytes:
    """A request for an export of 6 MB."""
    # Past the proxy, as from an address that no other test has used up.
    registered = replicas[0].register(account(), "203.0.113.77")
    assert registered[0] == 201, registered
    token = f"Bearer {json.loads(registered[2])['accessToken']}"
    task = {"title": "x", "description": "\N{EURO SIGN}" * 5000}
    batch = json.dumps({"operations": [{"op": "create", "data": task}] * 100})
    for _ in range(4):
        made = proxy.ask("POST", "/api/tasks/batch", batch, **JSON, Authorization=token)
        assert made[0] == 200, made
    head = "GET /api/tasks/export?format=jsonl HTTP/1.1\r\nHost: localhost\r\n"
    return f"{head}Authorization: {token}\r\nConnection: close\r\n\r\n".encode()


def start_export(proxy: Proxy, message: bytes) -> ssl.SSLSocket:
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65536)
    plain.settimeout(40)
    plain.connect(("127.0.0.1", proxy.port))
    context = ssl.create_default_context(cafile=proxy.folder / "tls_certificate")
    client = context.wrap_socket(plain, server_hostname="localhost")
    client.sendall(message)
    return client


def test_exports_are_not_stored(proxy: Proxy, export: bytes) -> None:
    """Six slow readers filled the disk of the proxy, and then POSTs were 500."""
    with ExitStack() as stack:
        for _ in range(4):
            client = stack.enter_context(closing(start_export(proxy, export)))
            assert client.recv(12) == b"HTTP/1.1 200"
        time.sleep(2)
        stored = [
            (path, path.stat().st_size)
            for path in (proxy.folder / "tmp").rglob("*")
            if path.is_file() and "nginx.pid" not in path.name
        ]

        assert stored == []
        assert proxy.ask("POST", "/api/auth/login", bytes(100_000))[0] in {400, 413}


def test_steady_reader_of_an_export_gets_all_of_it(proxy: Proxy, export: bytes) -> None:
    received, rate, started = 0, 150_000, time.monotonic()
    tail = b""
    with closing(start_export(proxy, export)) as client:
        while data := client.recv(rate // 10):
            received += len(data)
            tail = (tail + data)[-5:]
            time.sleep(max(0, started + received / rate - time.monotonic()))

    assert received > 6_000_000
    assert tail == b"0\r\n\r\n"


def test_api_that_is_away(start: Start) -> None:
    proxy = start([free_port(), free_port()])

    for method in ["GET", "POST"]:
        answer = proxy.ask(method, "/api/tasks", X_Request_Id="mine")
        assert_refused(answer, 502, "BAD_GATEWAY")
        assert answer[1]["x-request-id"] == "mine"


def test_api_that_is_mute(start: Start, mute: int) -> None:
    proxy = start([mute, mute], **{"proxy_read_timeout 35s": "proxy_read_timeout 1s"})

    assert_refused(proxy.ask("POST", "/api/tasks", "{}"), 504, "GATEWAY_TIMEOUT")


def test_too_many_at_once(start: Start, mute: int) -> None:
    proxy = start([mute, mute], **{"addresses 100": "addresses 3"})
    with ExitStack() as stack:
        for _ in range(3):
            connection = proxy.connect()
            stack.callback(connection.close)
            connection.request("GET", "/api/tasks")
        time.sleep(0.2)

        assert_refused(proxy.ask("GET", "/api/tasks"), 429, "RATE_LIMITED")


def test_post_that_was_received_is_not_sent_again(start: Start) -> None:
    """Both replicas read it and break off; one of them must not have seen it."""
    with closing(Breaker()) as one, closing(Breaker()) as other:
        proxy = start([one.port, other.port])

        assert_refused(proxy.ask("POST", "/api/tasks", "{}"), 502, "BAD_GATEWAY")
        assert one.seen + other.seen == 1
        assert_refused(proxy.ask("PATCH", "/api/tasks/1", "{}"), 502, "BAD_GATEWAY")
        assert one.seen + other.seen == 2


class Breaker:
    """A server that reads a request and closes the connection."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = int(self.listener.getsockname()[1])
        self.seen = 0
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self) -> None:
        while True:
            connection, _ = self.listener.accept()
            with connection:
                if not connection.recv(65536):
                    return
                self.seen += 1

    def close(self) -> None:
        socket.create_connection(("127.0.0.1", self.port)).close()
        self.thread.join()
        self.listener.close()


def test_post_that_was_not_received_goes_to_the_other(
    start: Start, replicas: list[Replica]
) -> None:
    proxy = start([free_port(), replicas[0].port])

    answers = [proxy.ask("POST", "/api/auth/login", "[]", **JSON) for _ in range(4)]

    assert {status for status, _, _ in answers} <= {400, 429}


def test_rolling_restart_fails_no_request(
    start: Start, replicas: list[Replica]
) -> None:
    """The steps of deploy/compose/restart, while others read and write."""
    proxy = start([replica.port for replica in replicas])
    over = threading.Event()
    answers: list[tuple[int, bytes]] = []

    def load(method: str, path: str) -> None:
        while not over.is_set():
            status, _, body = proxy.ask(method, path, "{" if method == "POST" else None)
            answers.append((status, body))

    requests = [("GET", "/readyz"), ("POST", "/api/tasks")] * 2
    threads = [threading.Thread(target=load, args=each) for each in requests]
    for thread in threads:
        thread.start()
    try:
        for name, replica in zip(["api1", "api2"], replicas, strict=True):
            (proxy.drained / name).mkdir()
            time.sleep(0.3)
            assert replica.stop() == 0
            replica.start()
            replica.wait()
            (proxy.drained / name).rmdir()
    finally:
        over.set()
        for thread in threads:
            thread.join()

    assert len(answers) > 40
    assert [each for each in answers if each[0] not in {200, 401}] == []
