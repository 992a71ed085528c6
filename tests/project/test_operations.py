"""docs/operations.md names everything there is to operate."""

import re
from pathlib import Path

import pytest
from django.conf import settings
from django.core.management import get_commands
from prometheus_client import REGISTRY

from taskapi.outbox.metrics import OutboxCollector

ROOT: Path = settings.BASE_DIR
GUIDE = (ROOT / "docs" / "operations.md").read_text()
SOURCES = [
    path.read_text()
    for app in ("accounts", "tasks", "taskapi")
    for path in sorted((ROOT / app).rglob("*.py"))
]


def named(pattern: str) -> set[str]:
    return {name for source in SOURCES for name in re.findall(pattern, source)}


EVENTS = named(r'\.record\(\s*"(\w+)"') | {"replay", "refresh_failed"}
COMMANDS = {
    n for n, app in get_commands().items() if app in settings.INSTALLED_APPS[:3]
}
CHECKS = named(r'id="(taskapi\.E\d+)"') | {
    f"taskapi.W{number:03}" for number in (1, 3, 4, 5, 6, 7, 8)
}
METRICS = {
    f"{metric.name}_total" if metric.type == "counter" else metric.name
    for metric in [*REGISTRY.collect(), *OutboxCollector().describe()]
    if metric.name.startswith("taskapi_")
}
ALERTS = set(
    re.findall(
        r"alert: (\w+)", (ROOT / "deploy" / "monitoring" / "alerts.yaml").read_text()
    )
)


def test_they_are_found() -> None:
    assert {"login_ok", "erase", "limit_hit"} < EVENTS
    assert {"migrate", "serve", "demo", "set_role"} < COMMANDS
    assert "taskapi_limit_hits_total" in METRICS
    assert len(ALERTS) > 3


@pytest.mark.parametrize("name", sorted(EVENTS | COMMANDS | CHECKS | METRICS | ALERTS))
def test_guide_names(name: str) -> None:
    assert re.search(rf"`{re.escape(name)}\b", GUIDE)


@pytest.mark.parametrize("page", ["operations", "schema-changes", "api-changes"])
def test_every_file_that_is_named_exists(page: str) -> None:
    text = (ROOT / "docs" / f"{page}.md").read_text()
    files = set(
        re.findall(r"`((?:\.ci|tests|tasks|accounts|docs|deploy)/[\w./-]+)`", text)
    )

    assert files
    assert [name for name in files if not (ROOT / name).exists()] == []
