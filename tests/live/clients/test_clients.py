"""Clients that standard generators make of docs/openapi.yaml: their types are sound,
and they work. The commands are those that docs/guide.md tells.
"""

import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NoReturn
from uuid import uuid4

import pytest
import yaml

from tests.live.server import ROOT, Server

pytestmark = [pytest.mark.full, pytest.mark.live]
HERE = Path(__file__).parent
SCHEMA = ROOT / "docs" / "openapi.yaml"
GUIDE = (ROOT / "docs" / "guide.md").read_text()
PYTHON = "openapi-python-client generate --path openapi.yaml"
TYPESCRIPT = "openapi-typescript openapi.yaml --output schema.d.ts"
POSTMAN = (
    "openapi2postmanv2 --spec openapi.yaml --output postman.json"
    " --options folderStrategy=Tags,requestParametersResolution=Example"
)
TOKEN = {"type": "bearer", "bearer": [{"key": "token", "value": "{{bearerToken}}"}]}
Tool = Callable[..., str]
SEEN = {
    "pages": [["three", "two"], ["one"]],
    "patched": "IN_PROGRESS",
    "stale": [412, "PRECONDITION_FAILED", 2],
    "batch": [["create", "TODO"], ["update", "DONE"]],
    "deleted": 204,
    "restored": 5,
}


@pytest.fixture(scope="module")
def folder_of_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    for path in [SCHEMA, *HERE.glob("*.json"), *HERE.glob("drive.*")]:
        shutil.copy2(path, folder)
    return folder


@pytest.fixture(scope="module")
def tool(folder_of_tools: Path, program: Callable[..., str]) -> Tool:
    """Run a command in a folder that has the schema; what it prints."""
    folder = folder_of_tools
    bins = [Path(sys.executable).parent, folder / "node_modules" / ".bin"]
    path = os.pathsep.join([*map(str, bins), os.environ["PATH"]])

    def run(command: str, *arguments: str) -> str:
        name, *more = [*command.split(), *arguments]
        done = subprocess.run(
            [program(name, path), *more],
            cwd=folder,
            env=os.environ | {"PATH": path, "PYTHONPATH": "task-api-client"},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
        return done.stdout

    return run


@pytest.fixture(scope="module")
def node_tool(tool: Tool, lacking: Callable[[str], NoReturn]) -> Tool:
    try:
        tool("npm ci --ignore-scripts --no-audit --no-fund")
    except AssertionError as error:
        lacking(f"the packages of package-lock.json cannot be had: {error}")
    return tool


def email() -> str:
    return f"{uuid4().hex}@example.com"


@pytest.mark.parametrize("command", [PYTHON, TYPESCRIPT, POSTMAN])
def test_guide_tells_the_command(command: str) -> None:
    assert f"| `{command}` |" in GUIDE


def test_guide_tells_the_versions() -> None:
    package = json.loads((HERE / "package.json").read_text())["devDependencies"]
    (python,) = re.findall(
        r"(?m)^(openapi-python-client)==(\S+)",
        (ROOT / "requirements-contract.txt").read_text(),
    )

    assert package.keys() > {"openapi-fetch", "openapi-typescript"}
    for name, version in [python, *package.items()]:
        assert f"`{name}` {version}" in GUIDE


def test_packages_are_locked_by_their_hashes_alone() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    del lock[""]

    assert all(package["integrity"].startswith("sha512-") for package in lock.values())
    assert not any("resolved" in package for package in lock.values())
    assert not any("hasInstallScript" in package for package in lock.values())


def test_python_client_is_sound_and_works(tool: Tool, live: Server) -> None:
    printed = tool(f"{PYTHON} --fail-on-warning")
    assert "warning" not in printed.lower()

    tool("mypy --strict --config-file= task-api-client/task_api_client drive.py")
    seen = tool("python drive.py", f"http://127.0.0.1:{live.port}", email())

    assert json.loads(seen) == SEEN


def test_typescript_client_is_sound_and_works(node_tool: Tool, live: Server) -> None:
    node_tool(TYPESCRIPT)

    node_tool("tsc --project tsconfig.json")
    seen = node_tool("node built/drive.js", f"http://127.0.0.1:{live.port}", email())

    assert json.loads(seen) == SEEN


def test_postman_collection_has_every_operation_ready_to_send(
    node_tool: Tool, folder_of_tools: Path
) -> None:
    node_tool(POSTMAN)
    collection = json.loads((folder_of_tools / "postman.json").read_text())
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
