"""Clients that standard generators make of docs/openapi.yaml: their types are sound,
and they work. The commands are those that docs/guide.md tells.
"""

import json
import re

import pytest

from tests.live.clients.tools import GUIDE, HERE, SEEN, Tool, email
from tests.live.server import ROOT, Server

pytestmark = [pytest.mark.full, pytest.mark.live]
PYTHON = "openapi-python-client generate --path openapi.yaml"
TYPESCRIPT = "openapi-typescript openapi.yaml --output schema.d.ts"


@pytest.mark.parametrize("command", [PYTHON, TYPESCRIPT])
def test_guide_tells_the_command(command: str) -> None:
    assert f"| `{command}` |" in GUIDE


def test_guide_tells_the_versions() -> None:
    package = json.loads((HERE / "package.json").read_text())["devDependencies"]
    python = re.findall(
        r"(?m)^(openapi-(?:python-client|generator-cli))==(\S+)",
        (ROOT / "requirements-contract.txt").read_text(),
    )

    assert len(python) == 2
    assert package.keys() > {"openapi-fetch", "openapi-typescript", "newman"}
    for name, version in [*python, *package.items()]:
        assert f"`{name}` {version}" in GUIDE


def test_packages_are_locked_by_their_hashes_alone() -> None:
    lock = json.loads((HERE / "package-lock.json").read_text())["packages"]
    del lock[""]

    assert all(package["integrity"].startswith("sha512-") for package in lock.values())
    assert not any("resolved" in package for package in lock.values())
    # It counts downloads; `npm ci --ignore-scripts` runs none of them.
    scripts = {name for name in lock if "hasInstallScript" in lock[name]}
    assert scripts <= {"node_modules/@scarf/scarf"}


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
