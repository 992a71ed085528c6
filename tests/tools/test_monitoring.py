"""deploy/monitoring: nothing asks for what the server does not tell."""

import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings
from prometheus_client import REGISTRY

from taskapi.outbox.metrics import OutboxCollector

ROOT: Path = settings.BASE_DIR
MONITORING = ROOT / "deploy" / "monitoring"
SUFFIXES = {"counter": ["_total"], "gauge": [""], "histogram": ["_bucket", "_count"]}
LABEL = re.compile(r'(\w+)\s*[=!~]+\s*"')


def promtool(*arguments: Any) -> None:
    found = shutil.which("promtool")
    if found is None:
        pytest.skip("promtool is not installed; Debian's package prometheus has it")
    done = subprocess.run(
        [found, *map(str, arguments)], text=True, capture_output=True, cwd=MONITORING
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture(scope="module")
def dashboard() -> dict[str, Any]:
    return dict(json.loads((MONITORING / "dashboard.json").read_text()))


@pytest.fixture(scope="module")
def alerts() -> list[dict[str, Any]]:
    [group] = yaml.safe_load((MONITORING / "alerts.yaml").read_text())["groups"]
    return list(group["rules"])


@pytest.fixture(scope="module")
def queries(dashboard: dict[str, Any]) -> list[str]:
    return [t["expr"] for panel in dashboard["panels"] for t in panel["targets"]]


@pytest.fixture(scope="module")
def expressions(queries: list[str], alerts: list[dict[str, Any]]) -> list[str]:
    return queries + [alert["expr"] for alert in alerts]


@pytest.fixture(scope="module")
def told() -> dict[str, set[str]]:
    """What /metrics can tell: the name of each series, and its labels."""
    names = {"up": {"job", "instance"}}
    about: dict[str, Any] = {each.name: each for each in OutboxCollector().describe()}
    types = {name: family.type for name, family in about.items()}
    for metric in REGISTRY.collect():
        if metric.name.startswith("taskapi_"):
            about[metric.name] = REGISTRY._names_to_collectors[metric.name]
            types[metric.name] = metric.type
    for name, collector in about.items():
        for suffix in SUFFIXES[types[name]]:
            names[name + suffix] = {*collector._labelnames, "instance"}
    return names


def test_expressions_ask_for_what_is_told(
    expressions: list[str], told: dict[str, set[str]]
) -> None:
    for expression in expressions:
        asked = set(re.findall(r"\btaskapi_\w+|\bup\b", expression))
        assert asked, expression
        assert asked <= told.keys(), expression


def test_expressions_know_the_labels(
    expressions: list[str], told: dict[str, set[str]]
) -> None:
    for expression in expressions:
        for name, selector in re.findall(r"(\w+)\{([^}]*)\}", expression):
            assert set(LABEL.findall(selector)) <= told[name], expression
        asked = set(re.findall(r"\btaskapi_\w+|\bup\b", expression))
        known = {"le"}.union(*(told[name] for name in asked))
        for labels in re.findall(r"\bby \(([^)]*)\)", expression):
            assert set(labels.split(", ")) <= known, expression


def test_everything_that_is_told_is_shown(
    queries: list[str], told: dict[str, set[str]]
) -> None:
    shown = set(re.findall(r"\btaskapi_\w+|\bup\b", " ".join(queries)))

    assert {name for name in told if not name.endswith("_count")} == shown


def test_alerts_say_what_to_do(alerts: list[dict[str, Any]]) -> None:
    assert len({alert["alert"] for alert in alerts}) == len(alerts) == 8
    for alert in alerts:
        assert alert["labels"]["severity"] in {"critical", "warning"}
        assert alert.keys() == {"alert", "expr", "for", "labels", "annotations"}
        assert alert["annotations"].keys() == {"summary", "description"}
        assert len(alert["annotations"]["description"]) > 80


def test_dashboard_leaves_the_data_source_to_the_one_who_imports_it(
    dashboard: dict[str, Any],
) -> None:
    [variable] = dashboard["templating"]["list"]
    chosen = {"type": "prometheus", "uid": "${datasource}"}

    assert (variable["type"], variable["name"]) == ("datasource", "datasource")
    assert "id" not in dashboard
    for panel in dashboard["panels"]:
        assert panel["datasource"] == chosen
        assert all(target["datasource"] == chosen for target in panel["targets"])


def test_panels_do_not_overlap(dashboard: dict[str, Any]) -> None:
    places = [panel["gridPos"] for panel in dashboard["panels"]]
    cells = {
        (x, y)
        for p in places
        for x in range(p["x"], p["x"] + p["w"])
        for y in range(p["y"], p["y"] + p["h"])
    }

    assert len(cells) == sum(p["w"] * p["h"] for p in places)
    assert max(x for x, _ in cells) < 24
    assert len({panel["id"] for panel in dashboard["panels"]}) == len(places)


def test_scrape_asks_with_the_token() -> None:
    text = (MONITORING / "prometheus.yaml").read_text()
    configuration = yaml.safe_load(text)
    [scrape] = configuration["scrape_configs"]

    assert scrape["job_name"] == "taskapi"
    assert scrape["metrics_path"] == "/metrics"
    assert scrape["authorization"]["type"] == "Bearer"
    assert configuration["rule_files"] == ["alerts.yaml"]


def test_promtool_understands_the_files() -> None:
    promtool("check", "config", "--syntax-only", "prometheus.yaml")
    promtool("check", "rules", "alerts.yaml")


def test_promtool_understands_the_dashboard(queries: list[str], tmp_path: Path) -> None:
    rules = [
        {"record": f"panel:{number}", "expr": query.replace("$__rate_interval", "1m")}
        for number, query in enumerate(queries)
    ]
    file = tmp_path / "rules.yaml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))

    promtool("check", "rules", file)


def test_alerts_fire_when_they_should() -> None:
    promtool("test", "rules", ROOT / "tests" / "project" / "alerts.yaml")
