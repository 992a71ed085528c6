"""What standard clients send by themselves: chunks, capitals, decimals, streams."""

import json
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, NoReturn

import pytest

from tests.live.people import Tokens, make_task, register
from tests.live.server import Server

pytestmark = [pytest.mark.full, pytest.mark.live]
HERE = Path(__file__).parent
Program = Callable[..., str]
Lacking = Callable[[str], NoReturn]
BODY = b'{"title": "streamed"}'


@pytest.fixture
def tokens(live: Server) -> Tokens:
    return register(live)


def url(live: Server) -> str:
    return f"http://127.0.0.1:{live.port}/api/tasks"


def run(command: list[str], stdin: bytes = b"") -> Any:
    """Status and body of what a client prints as `201 {…}`."""
    done = subprocess.run(command, input=stdin, capture_output=True, timeout=60)
    assert done.returncode == 0, done.stderr.decode()
    status, _, body = done.stdout.decode().partition(" ")
    return int(status), json.loads(body)


def assert_created(answer: Any) -> dict[str, Any]:
    status, task = answer
    assert (status, task.get("title")) == (201, "streamed"), task
    return dict(task)


def test_curl_uploads_from_a_pipe(
    live: Server, tokens: Tokens, program: Program
) -> None:
    """`-T -` knows no length: it sends chunks, and asks with Expect first."""
    command = [program("curl"), "-sS", "-X", "POST", "-T", "-", url(live)]
    command += ["-H", f"Authorization: Bearer {tokens.access}"]
    command += ["-H", "Content-Type: application/json", "-w", "%{http_code}"]
    done = subprocess.run(command, input=BODY, capture_output=True, timeout=60)

    assert done.returncode == 0, done.stderr
    assert_created((int(done.stdout[-3:]), json.loads(done.stdout[:-3])))


@pytest.mark.parametrize("script", ["chunked.mjs", "fetch.mjs"])
def test_node_streams_a_body(
    live: Server, tokens: Tokens, program: Program, script: str
) -> None:
    command = [program("node"), str(HERE / script), url(live), tokens.access]

    assert_created(run(command))


def test_java_streams_a_body_with_nine_decimals(
    live: Server, tokens: Tokens, program: Program, lacking: Lacking
) -> None:
    java = program("java")
    modules = subprocess.run([java, "--list-modules"], capture_output=True, text=True)
    if "jdk.compiler" not in modules.stdout:
        pytest.skip("this Java compiles no source")
    command = [java, str(HERE / "Chunked.java"), url(live), tokens.access]

    task = assert_created(run(command))
    assert task["dueDate"] == "2026-12-31T09:00:00.123456Z"


def pieces() -> Iterator[bytes]:
    for byte in BODY:
        yield bytes([byte])


@pytest.mark.parametrize("method", ["POST", "PATCH"])
def test_python_sends_an_iterator_in_chunks(
    live: Server, tokens: Tokens, method: str
) -> None:
    path = "/api/tasks"
    if method == "PATCH":
        path += f"/{make_task(live, tokens)['id'].upper()}"
    headers = {
        "Authorization": f"Bearer {tokens.access}",
        "Content-Type": "application/json",
        "Accept": "",
    }
    with closing(HTTPConnection("127.0.0.1", live.port, timeout=30)) as connection:
        for _ in range(2):  # on one connection: the end of the first is found
            connection.request(method, path, pieces(), headers, encode_chunked=True)
            response = connection.getresponse()
            assert response.status in {200, 201}
            assert json.loads(response.read())["title"] == "streamed"
            assert response.headers["Keep-Alive"] == "timeout=75"


def test_delete_by_an_id_in_capitals_deletes(live: Server, tokens: Tokens) -> None:
    """As Swift's UUID().uuidString: a 404 would pass for success."""
    path = f"/api/tasks/{make_task(live, tokens)['id'].upper()}"
    headers = {"Authorization": f"Bearer {tokens.access}"}
    with closing(HTTPConnection("127.0.0.1", live.port, timeout=30)) as connection:
        statuses = []
        for _ in range(2):
            connection.request("DELETE", path, headers=headers)
            response = connection.getresponse()
            response.read()
            statuses.append(response.status)
            if response.status == 204:
                assert response.headers["Content-Length"] is None

    assert statuses == [204, 404]
