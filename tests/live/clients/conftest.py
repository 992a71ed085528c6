"""The tools that clients are made with, in a folder that has the schema."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

import pytest

from tests.live.clients.tools import HERE, SCHEMA, Tool

COPIED = ["*.json", "*.yaml", "drive.*", "*.java"]


@pytest.fixture(scope="session")
def folder_of_tools(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("clients")
    own = [path for pattern in COPIED for path in HERE.glob(pattern)]
    for path in [SCHEMA, *own]:
        shutil.copy2(path, folder)
    return folder


@pytest.fixture(scope="session")
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


@pytest.fixture(scope="session")
def node_tool(tool: Tool, lacking: Callable[[str], NoReturn]) -> Tool:
    try:
        tool("npm ci --ignore-scripts --no-audit --no-fund")
    except AssertionError as error:
        lacking(f"the packages of package-lock.json cannot be had: {error}")
    return tool
