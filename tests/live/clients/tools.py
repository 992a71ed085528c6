"""The guide's commands, and what a client that was made by one of them sees."""

from collections.abc import Callable
from pathlib import Path
from uuid import uuid4

from tests.live.server import ROOT

HERE = Path(__file__).parent
SCHEMA = ROOT / "docs" / "openapi.yaml"
GUIDE = (ROOT / "docs" / "guide.md").read_text()
Tool = Callable[..., str]
SEEN = {
    "pages": [["three", "two"], ["one"]],
    "patched": "IN_PROGRESS",
    "stale": [412, "PRECONDITION_FAILED", 2],
    "batch": [["create", "TODO"], ["update", "DONE"]],
    "deleted": 204,
    "restored": 5,
}


def email() -> str:
    return f"{uuid4().hex}@example.com"
