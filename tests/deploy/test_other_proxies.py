"""The snippets for Caddy, nginx and Traefik beside the API, and the units."""

import json
import os
import signal
import socket
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, suppress
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from uuid import uuid4

import pytest
import yaml

from tests.deploy.image import ROOT, free_port
from tests.deploy.proxy import Replica, until
from tests.launcher import death_pact

pytestmark = [pytest.mark.deploy, pytest.mark.full]
SNIPPETS = ROOT / "deploy" / "proxies"
UNITS = sorted((ROOT / "deploy" / "systemd").iterdir())
PATH = f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin"
MAX_BODY_BYTES = 4 * 1024 * 1024
EXPORT_MIB = 64
JSON = {"Content-Type": "application/json"}
Program = Callable[..., str]


def replaced(name: str, changes: dict[str, str]) -> str:
    text = (SNIPPETS / name).read_text()
    for was, now in changes.items():
        assert was in text
        text = text.replace(was, now)
    return text


def caddy(program: Program, folder: Path, port: int, api: int) -> list[str]:
    site = {
        "api.example.com {": f"http://:{port} {{\n\tbind 127.0.0.1",
        "127.0.0.1:8000": f"127.0.0.1:{api}",
    }
    path = folder / "Caddyfile"
    path.write_text("{\n\tadmin off\n}\n" + replaced("Caddyfile", site))
    adapter = ["--config", str(path), "--adapter", "caddyfile"]
    return [program("caddy", PATH), "run", *adapter]


def nginx(program: Program, folder: Path, port: int, api: int) -> list[str]:
    site = {
        "listen 443 ssl": f"listen 127.0.0.1:{port}",
        "127.0.0.1:8000": f"127.0.0.1:{api}",
        "ssl_certificate ": "# ",
        "ssl_certificate_key ": "# ",
    }
    names = "client_body", "proxy", "fastcgi", "uwsgi", "scgi"
    places = "".join(f"{name}_temp_path {folder}/{name};\n" for name in names)
    server = f"access_log off;\n{places}{replaced('nginx.conf', site)}"
    path = folder / "nginx.conf"
    path.write_text(
        f"pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{}}\nhttp {{\n{server}}}\n"
    )
    user = "" if os.geteuid() else "user root;"
    return [program("nginx", PATH), "-c", str(path), "-g", f"daemon off; {user}"]


KINDS = {"Caddyfile": caddy, "nginx.conf": nginx}
Start = Callable[[int], int]


@pytest.fixture(params=KINDS)
def start(
    request: pytest.FixtureRequest, program: Program, tmp_path: Path
) -> Iterator[Start]:
    """Start the proxy before this port; its own."""
    running: list[subprocess.Popen[bytes]] = []

    def starter(api: int) -> int:
        port = free_port()
        process = subprocess.Popen(
            KINDS[request.param](program, tmp_path, port, api),
            env=os.environ | {"HOME": str(tmp_path), "XDG_DATA_HOME": str(tmp_path)},
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=death_pact(signal.SIGTERM),
        )
        running.append(process)
        until(lambda: accepts(port), process)
        return port

    yield starter
    for process in running:
        process.terminate()
        process.wait(10)


def accepts(port: int) -> bool:
    with closing(socket.socket()) as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def ask(
    port: int,
    method: str,
    path: str,
    body: Any = None,
    source: str = "127.0.0.1",
    **headers: str,
) -> tuple[int, bytes]:
    with closing(
        HTTPConnection("127.0.0.1", port, timeout=20, source_address=(source, 0))
    ) as client:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        client.request(method, path, body, named | {"Host": "localhost"} | JSON)
        answer = client.getresponse()
        return answer.status, answer.read()


def test_request_passes_and_its_address_is_judged_right(
    start: Start, replicas: list[Replica]
) -> None:
    port = start(replicas[0].port)
    # An account of its own, which has a limit, too.
    email = f"{uuid4().hex}@example.com"
    login = json.dumps({"email": email, "password": "grey heron 7 lamps"})
    first, second = (f"127.{uuid4().int % 200 + 1}.0.{n}" for n in (1, 2))

    assert ask(port, "GET", "/livez", source=first)[0] == 200
    assert ask(port, "GET", "/metrics", source=first)[0] == 404
    statuses = [
        ask(
            port,
            *("POST", "/api/auth/login", login, first),
            X_Forwarded_For=f"192.0.2.{n}",
            X_Real_IP=f"192.0.2.{n}",
            Forwarded=f"for=192.0.2.{n}",
        )[0]
        for n in range(5)
    ]

    # RATE_LIMIT_AUTH is 3/15m here: what clients claim makes no new address...
    assert statuses == [401, 401, 401, 429, 429]
    # ...and the next client is one, not the proxy.
    assert ask(port, "POST", "/api/auth/login", login, second)[0] != 429


def test_body_that_is_too_large_is_refused(
    start: Start, replicas: list[Replica]
) -> None:
    port = start(replicas[0].port)

    # A body of the limit reaches the API, which asks who sends it.
    assert ask(port, "POST", "/api/tasks", bytes(MAX_BODY_BYTES))[0] == 401
    assert status_while_sending(port, bytes(MAX_BODY_BYTES + 1)) == 413


def status_while_sending(port: int, body: bytes) -> int:
    """As clients do who read the answer before they have sent everything."""
    head = f"POST /api/tasks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}"

    def send() -> None:
        with suppress(OSError):
            client.sendall(head.encode() + b"\r\n\r\n" + body)

    with closing(socket.create_connection(("127.0.0.1", port), 20)) as client:
        sending = threading.Thread(target=send)
        sending.start()
        status = int(client.recv(65536).split()[1])
        with suppress(OSError):  # closed by the proxy
            client.shutdown(socket.SHUT_RDWR)
        sending.join()
    return status


def test_export_goes_on_as_it_is_made(start: Start) -> None:
    read = threading.Event()

    def export(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with closing(client):
            client.recv(65536)
            client.sendall(
                b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n"
                b"Content-Type: text/csv\r\nX-Accel-Buffering: no\r\n\r\n5\r\nfirst\r\n"
            )
            client.sendall(b"4\r\nlast\r\n0\r\n\r\n" if read.wait(20) else b"")

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=export, args=[listener], daemon=True).start()
        port = start(listener.getsockname()[1])
        with closing(HTTPConnection("127.0.0.1", port, timeout=10)) as client:
            client.request("GET", "/api/tasks/export")
            answer = client.getresponse()
            assert answer.read(5) == b"first"
            read.set()
            assert answer.read() == b"last"


def test_export_is_not_stored_while_its_client_does_not_read(start: Start) -> None:
    sent: list[int] = []
    is_full = threading.Event()

    def export(listener: socket.socket) -> None:
        client, _ = listener.accept()
        with closing(client):
            client.recv(65536)
            client.settimeout(1)
            try:
                client.sendall(
                    b"HTTP/1.1 200 OK\r\nConnection: close\r\n"
                    b"Content-Type: text/csv\r\nX-Accel-Buffering: no\r\n\r\n"
                )
                while len(sent) < EXPORT_MIB * 4:
                    client.sendall(bytes(256 * 1024))
                    sent.append(1)
            except TimeoutError:
                is_full.set()

    with closing(socket.create_server(("127.0.0.1", 0))) as listener:
        threading.Thread(target=export, args=[listener], daemon=True).start()
        port = start(listener.getsockname()[1])
        with closing(socket.create_connection(("127.0.0.1", port))) as client:
            client.sendall(b"GET /api/tasks/export HTTP/1.1\r\nHost: localhost\r\n\r\n")
            # The rest is what the kernel holds of the two connections.
            assert is_full.wait(20), f"{len(sent) / 4} MiB were taken"


def test_caddy_finds_its_snippet_valid_and_formatted(program: Program) -> None:
    path = str(SNIPPETS / "Caddyfile")
    check = ["validate", "--adapter", "caddyfile", "--config", path]

    for command in (check, ["fmt", "--diff", path]):
        done = subprocess.run(
            [program("caddy", PATH), *command], capture_output=True, text=True
        )
        assert done.returncode == 0, done.stdout + done.stderr


def test_every_name_in_the_snippet_for_traefik_is_defined() -> None:
    # Traefik is in no package that could be tried.
    http = yaml.safe_load((SNIPPETS / "traefik.yaml").read_text())["http"]
    (router,), (service,) = http["routers"].values(), http["services"].values()
    balancer = service["loadBalancer"]

    assert router["service"] in http["services"]
    assert set(router["middlewares"]) <= http["middlewares"].keys()
    assert balancer["serversTransport"] in http["serversTransports"]
    assert "buffering" not in str(http["middlewares"])
    assert "trustedIPs" not in str(http)


@pytest.mark.parametrize("name", [path.name for path in SNIPPETS.iterdir()])
def test_snippet_says_how_many_proxies_it_is(name: str) -> None:
    assert "NUM_PROXIES=1" in (SNIPPETS / name).read_text().replace("\n# ", " ")


# Units


def installed_in(folder: Path) -> str:
    """A path to the project without a space, as in the units."""
    link = folder / "taskapi"
    if not link.exists():
        link.symlink_to(ROOT)
    return str(link)


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_unit_passes_systemds_own_check(
    unit: Path, program: Program, tmp_path: Path
) -> None:
    installed = installed_in(tmp_path)
    for each in UNITS:
        text = each.read_text().replace("/opt/taskapi", installed)
        (tmp_path / each.name).write_text(text)
    # It names units of other packages, which need not be installed here.
    command = [program("systemd-analyze", PATH), "verify", "--man=no"]
    done = subprocess.run(
        [*command, "--recursive-errors=no", str(tmp_path / unit.name)],
        capture_output=True,
        text=True,
    )

    ours = [line for line in done.stderr.splitlines() if "taskapi" in line]
    assert (done.returncode, ours) == (0, []), done.stderr


def test_service_tells_systemd_when_it_accepts_connections(
    settings_of_a_container: dict[str, str], tmp_path: Path
) -> None:
    port, address = free_port(), str(tmp_path / "notify")
    unit = (ROOT / "deploy" / "systemd" / "taskapi.service").read_text()
    (line,) = [x for x in unit.splitlines() if x.startswith("ExecStart=")]
    command = line.partition("=")[2].split()
    command = [word.replace("/opt/taskapi", installed_in(tmp_path)) for word in command]
    with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as listener:
        listener.bind(address)
        listener.settimeout(30)
        process = subprocess.Popen(
            command,
            cwd=ROOT,
            env=os.environ
            | settings_of_a_container
            | {"NOTIFY_SOCKET": address, "PORT": str(port), "REDIS_URL": ""},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=death_pact(signal.SIGTERM),
        )
        try:
            assert listener.recv(4096).startswith(b"READY=1")
            until(lambda: accepts(port), process)
        finally:
            process.terminate()
            process.wait(40)
