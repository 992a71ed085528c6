"""compose.yaml and what it leads to: what can be said of it without an engine."""

import json
import os
import re
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from taskapi.bootstrap.commands import LOCAL
from taskapi.outbox.worker import STOP_SECONDS
from tests.deploy.image import ROOT
from tests.deploy.proxy import CONFIGURATION

pytestmark = [pytest.mark.deploy, pytest.mark.full]

COMPOSE = ROOT / "deploy" / "compose"
SCRIPTS = ["prepare", "restart", "database.sh"]


def tool(name: str) -> str:
    places = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    found = shutil.which(name, path=places)
    if found is None:
        pytest.skip(f"{name} is not installed; it is in requirements-deploy.txt")
    return found


@pytest.fixture(scope="module")
def compose() -> dict[str, Any]:
    return dict(yaml.safe_load((ROOT / "compose.yaml").read_text()))


@pytest.fixture
def prepared(tmp_path: Path) -> Path:
    shutil.copy2(COMPOSE / "prepare", tmp_path)
    subprocess.run([tmp_path / "prepare", "api.example.com"], check=True)
    return tmp_path


def limits_of(text: str) -> float:
    return float(re.sub(r"\D", "", text))


def test_dockerfile_lints() -> None:
    subprocess.run([tool("hadolint"), "Dockerfile"], cwd=ROOT, check=True)


def test_compose_fits_its_schema() -> None:
    schema = ["--builtin-schema", "vendor.compose-spec"]
    command = [tool("check-jsonschema"), *schema, "compose.yaml"]
    subprocess.run(command, cwd=ROOT, check=True)


@pytest.mark.parametrize("settings", [None, "", ".env.example"])
def test_compose_reads_it(tmp_path: Path, settings: str | None) -> None:
    docker = tool("docker")
    if subprocess.run([docker, "compose", "version"], capture_output=True).returncode:
        pytest.skip("docker has no compose plugin")
    shutil.copy2(ROOT / "compose.yaml", tmp_path)
    if settings is not None:
        text = (ROOT / settings).read_text() if settings else ""
        (tmp_path / ".env").write_text(text)
    command = [docker, "compose", "config", "--format", "json"]

    done = subprocess.run(command, cwd=tmp_path, check=True, capture_output=True)

    replica = json.loads(done.stdout)["services"]["api1"]["environment"]
    assert replica["HOST"] == "0.0.0.0"
    assert replica["NUM_PROXIES"] == "1"
    assert replica["REDIS_URL"] == "redis://cache:6379/0"


def test_every_container_is_confined(compose: dict[str, Any]) -> None:
    for name, service in compose["services"].items():
        assert service["read_only"] is True, name
        assert service["cap_drop"] == ["ALL"], name
        assert service["security_opt"] == ["no-new-privileges:true"], name
        assert "/tmp" in str(service["tmpfs"]), name
        assert set(service["deploy"]["resources"]["limits"]) == {
            "cpus",
            "memory",
            "pids",
        }
        assert service["logging"]["options"]["max-file"], name
        assert "privileged" not in service, name
        # The Dockerfile sets it for our own.
        assert "build" in service or service["user"] not in {"root", "0"}, name


def test_nothing_that_serve_relaxes_is_relaxed(compose: dict[str, Any]) -> None:
    """Compose reads .env, which the first `serve` may have written."""
    given = compose["x-api"]["environment"]
    default = dict(
        line.split("=", 1)
        for line in (ROOT / ".env.example").read_text().splitlines()
        if "=" in line and not line.startswith("#")
    )

    for name in LOCAL:
        assert given[name] == default[name]


def test_cache_evicts_what_expires_first(compose: dict[str, Any]) -> None:
    """Cached lists, which live a minute, and not the counters of the rate limits."""
    command = compose["services"]["cache"]["command"]

    assert command[command.index("--maxmemory-policy") + 1] == "volatile-ttl"
    assert "--maxmemory" in command


def test_proxy_stores_bodies_and_answers_apart(compose: dict[str, Any]) -> None:
    """Else who reads slowly would leave no room for what others send."""
    places = [each.split(":") for each in compose["services"]["proxy"]["tmpfs"]]
    text = (ROOT / "deploy" / "nginx" / "nginx.conf").read_text()
    used = re.findall(r"(?:client_body|proxy)_temp_path (\S+);", text)

    assert sorted(used) == ["/tmp/body", "/tmp/proxy"]
    assert {path for path, _ in places} == {"/tmp", *used}
    assert all(options.startswith("size=") for _, options in places)


def test_only_the_proxy_is_reachable(compose: dict[str, Any]) -> None:
    services = compose["services"]
    assert [name for name in services if "ports" in services[name]] == ["proxy"]
    assert compose["networks"]["back"] == {"internal": True}
    assert services["database"]["networks"] == ["back"]
    assert services["cache"]["networks"] == ["back"]
    assert services["proxy"]["networks"] == ["front"]


def test_start_is_ordered_by_health(compose: dict[str, Any]) -> None:
    services = compose["services"]
    for replica in ["api1", "api2", "worker"]:
        waits = services[replica]["depends_on"]
        assert waits["database"] == {"condition": "service_healthy"}
        assert waits["migrate"] == {"condition": "service_completed_successfully"}
    for replica in ["api1", "api2"]:
        assert services["proxy"]["depends_on"][replica] == {
            "condition": "service_healthy"
        }
    for service in services.values():
        for needed, how in service.get("depends_on", {}).items():
            if how["condition"] == "service_healthy":
                is_ours = "build" in services[needed]
                assert is_ours or services[needed]["healthcheck"]["test"]


def test_stop_leaves_time_for_what_is_running(compose: dict[str, Any]) -> None:
    gunicorn = (ROOT / "gunicorn.conf.py").read_text()
    found = re.search(r"^graceful_timeout = (\d+)", gunicorn, flags=re.M)
    assert found
    for name in ["api1", "api2", "proxy"]:
        service = compose["services"][name]
        drain = int(service.get("environment", {}).get("DRAIN_SECONDS", 0))
        allowed = limits_of(service["stop_grace_period"])
        assert allowed > int(found[1]) + drain


def test_worker_is_one_by_its_command_and_its_health(compose: dict[str, Any]) -> None:
    worker = compose["services"]["worker"]
    *check, file = worker["healthcheck"]["test"]

    assert worker["command"][:3] == ["python", "manage.py", "worker"]
    assert worker["command"][3:] == ["--heartbeat", file]
    assert check == ["CMD", "python", "-m", "taskapi.outbox.heartbeat"]
    assert limits_of(worker["stop_grace_period"]) > STOP_SECONDS
    # It sends mail, which the network of the database does not let out.
    assert "front" in worker["networks"]


def test_every_secret_is_made_by_prepare_and_used(
    compose: dict[str, Any], prepared: Path
) -> None:
    declared = {
        Path(secret["file"]).name: name for name, secret in compose["secrets"].items()
    }
    assert {path.name for path in (prepared / "secrets").iterdir()} == set(declared)
    used = {
        secret
        for service in compose["services"].values()
        for secret in service.get("secrets", [])
    }
    assert used == set(declared.values())
    for service in compose["services"].values():
        for name, value in (service.get("environment") or {}).items():
            if name.endswith("_FILE"):
                assert value.removeprefix("/run/secrets/") in service["secrets"]


def test_prepare_makes_good_keys_and_keeps_them(prepared: Path) -> None:
    secrets = prepared / "secrets"
    assert stat.S_IMODE(secrets.stat().st_mode) == 0o700
    texts = {path.name: path.read_text() for path in secrets.iterdir()}
    assert len(set(texts.values())) == len(texts)
    for key in ["secret_key", "jwt_access_secret", "jwt_refresh_secret"]:
        assert len(texts[key].strip()) >= 50
    assert texts["database_password"].strip() in texts["database_url"]

    again = subprocess.run(
        [prepared / "prepare"], capture_output=True, text=True, check=False
    )

    assert again.returncode == 1
    assert "exists" in again.stderr
    assert {p.name: p.read_text() for p in secrets.iterdir()} == texts


@pytest.mark.parametrize("script", SCRIPTS)
def test_script_is_a_sound_one(script: str) -> None:
    path = COMPOSE / script
    assert os.access(path, os.X_OK)
    assert path.read_text().startswith("#!/bin/sh\n")
    subprocess.run(["sh", "-n", path], check=True)


def test_secrets_are_not_for_git(prepared: Path) -> None:
    done = subprocess.run(
        ["git", "check-ignore", "deploy/compose/secrets/secret_key"],
        cwd=ROOT,
        capture_output=True,
        check=False,
    )
    if done.returncode == 128:
        pytest.skip("not a git checkout")
    assert done.returncode == 0


def test_proxy_and_api_allow_the_same_body() -> None:
    nginx = (CONFIGURATION / "nginx.conf").read_text()
    example = (ROOT / ".env.example").read_text()
    found = re.search(r"MAX_BODY_BYTES=(\d+)", example)
    assert found
    assert f"client_max_body_size {found[1]};" in nginx


def test_night_shift_waits_until_three(compose: dict[str, Any]) -> None:
    script = compose["services"]["housekeeping"]["command"][2].replace("$$", "$")
    seconds = script[script.index("$((") : script.index("; do")]
    wait = subprocess.run(
        ["sh", "-c", f"date() {{ echo 1700000000; }}; echo {seconds}"],
        capture_output=True,
        check=True,
        text=True,
    )
    assert (1700000000 + int(wait.stdout)) % 86400 == 3 * 3600
    assert 0 < int(wait.stdout) <= 86400
