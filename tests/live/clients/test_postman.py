"""The collection that Postman makes of docs/openapi.yaml is ready to send."""

import json
import re
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.live.clients.tools import GUIDE, HERE, SCHEMA, Tool
from tests.live.clients.world import World, WorldServer
from tests.live.server import Server

pytestmark = [pytest.mark.full, pytest.mark.live]
POSTMAN = (
    "openapi2postmanv2 --spec openapi.yaml --output postman.json --options "
    "folderStrategy=Tags,parametersResolution=Example,enableOptionalParameters=false"
)
TOKEN = {"type": "bearer", "bearer": [{"key": "token", "value": "{{bearerToken}}"}]}


def test_guide_tells_the_command() -> None:
    assert f"| `{POSTMAN}` |" in GUIDE


@pytest.fixture(scope="module")
def collection(node_tool: Tool, folder_of_tools: Path) -> Any:
    node_tool(POSTMAN)
    return json.loads((folder_of_tools / "postman.json").read_text())


def test_collection_has_every_operation_ready_to_send(collection: Any) -> None:
    sent = {request_key(request): request for request in requests(collection["item"])}
    operations = described()

    assert sent.keys() == operations.keys()
    assert [each["key"] for each in collection["variable"]] == ["baseUrl"]
    assert collection.get("auth") is None
    for key, request in sent.items():
        assert request["url"]["host"] == ["{{baseUrl}}"]
        assert request["auth"] == (TOKEN if operations[key]["security"] else None)
        if "requestBody" in operations[key]:
            assert json.loads(request["body"]["raw"])


def requests(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    for item in items:
        if "item" in item:
            yield from requests(item["item"])
        else:
            yield item["request"]


def request_key(request: dict[str, Any]) -> tuple[str, str]:
    path = "/".join(request["url"]["path"])
    return request["method"], "/" + re.sub(r":(\w+)", r"{\1}", path)


def described() -> dict[tuple[str, str], Any]:
    paths = yaml.safe_load(SCHEMA.read_text())["paths"]
    return {
        (method.upper(), path): operation
        for path, methods in paths.items()
        for method, operation in methods.items()
    }


def test_every_request_of_the_collection_succeeds(
    collection: Any,
    folder_of_tools: Path,
    live: Server,
    orm: None,
    program: Callable[..., str],
) -> None:
    script = {"exec": (HERE / "postman.js").read_text().splitlines()}
    collection["event"] = [{"listen": "prerequest", "script": script}]
    (folder_of_tools / "run.json").write_text(json.dumps(collection))
    newman = program("newman", str(folder_of_tools / "node_modules" / ".bin"))

    port = str(live.port)
    with WorldServer(World(live)) as world:
        variables = [f"baseUrl=http://127.0.0.1:{port}", f"world={world.url}"]
        options = [word for each in variables for word in ("--env-var", each)]
        report = ["--reporters", "json", "--reporter-json-export", "report.json"]
        command = [newman, "run", "run.json", *options, *report]
        with subprocess.Popen(command, cwd=folder_of_tools) as process:
            while process.poll() is None:
                world.handle_request()

    assert process.returncode == 0
    run = json.loads((folder_of_tools / "report.json").read_text())["run"]
    # Twice each: the script's own request counts, under the same reference.
    sent = {each["cursor"]["ref"]: each for each in run["executions"]}
    assert {each["request"]["url"]["port"] for each in sent.values()} == {port}
    assert len(sent) == len(described())
    assert failures([*sent.values()]) == []


def failures(executions: list[dict[str, Any]]) -> list[str]:
    """The requests that did not succeed, with their answers."""
    found = []
    for execution in executions:
        answer = execution.get("response", {})
        if not 200 <= answer.get("code", 0) < 300:
            body = bytes(answer.get("stream", {}).get("data", [])).decode()
            found.append(f"{execution['item']['name']}: {answer.get('code')} {body}")
    return found
