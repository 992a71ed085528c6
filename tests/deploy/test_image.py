"""The steps of the Dockerfile and of a container's life, without a container engine."""

import json
import re
import subprocess
from pathlib import Path
from urllib.request import Request, urlopen

import pytest

from tests.deploy.image import (
    ROOT,
    Image,
    context,
    copies,
    environment,
    free_port,
    health_command,
    instructions,
    of,
)
from tests.deploy.proxy import Replica

pytestmark = [pytest.mark.deploy, pytest.mark.full]


def contents(folder: Path) -> dict[str, tuple[int, int]]:
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_size)
        for path in folder.rglob("*")
    }


@pytest.fixture
def replica(image: Image, settings_of_a_container: dict[str, str]) -> Replica:
    return Replica(image, settings_of_a_container | {"PORT": str(free_port())})


def ask(replica: Replica, path: str) -> dict[str, str]:
    # As the proxy would, of which there is one by NUM_PROXIES.
    headers = {"X-Forwarded-For": "192.0.2.1", "X-Forwarded-Proto": "https"}
    url = f"http://127.0.0.1:{replica.port}{path}"
    with urlopen(Request(url, headers=headers), timeout=10) as answer:
        assert answer.headers["Strict-Transport-Security"]
        return dict(json.load(answer))


def test_a_containers_life(image: Image, replica: Replica) -> None:
    before = contents(image.app)
    replica.start()
    try:
        replica.wait()

        assert ask(replica, "/livez") == {"status": "ok"}
        up = {"status": "ok", "database": "ok", "cache": "local"}
        assert ask(replica, "/readyz") == up
        assert ask(replica, "/health") == up
        housekeeping = ["python", "manage.py", "housekeeping"]
        assert image.run(housekeeping, replica.variables).wait(60) == 0
        assert replica.stop() == 0
    finally:
        replica.kill()
    assert contents(image.app) == before


def test_a_workers_life(image: Image, replica: Replica) -> None:
    migrate = ["python", "manage.py", "migrate", "--noinput"]
    assert image.run(migrate, replica.variables).wait(120) == 0
    worker = ["python", "manage.py", "worker", "--heartbeat", "/tmp/heartbeat"]
    check = ["python", "-m", "taskapi.outbox.heartbeat", "/tmp/heartbeat"]
    process = image.run(worker, replica.variables)
    try:
        for _ in range(40):
            if image.run(check, replica.variables).wait(10) == 0:
                break
        else:
            raise AssertionError("never healthy")
        process.terminate()
        assert process.wait(30) == 0
    finally:
        process.kill()


def test_image_cannot_be_written_to(image: Image) -> None:
    write = ["python", "-c", "open('taskapi/wsgi.py', 'a')"]

    process = image.run(write, {}, stderr=subprocess.PIPE, text=True)

    assert "PermissionError" in process.communicate(timeout=30)[1]


def test_container_without_settings_names_them_all(image: Image) -> None:
    process = image.run(
        ["python", "manage.py", "check"], {}, stderr=subprocess.PIPE, text=True
    )

    said = process.communicate(timeout=30)[1]
    assert process.returncode == 1
    for name in ["SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET"]:
        assert f"  {name}: " in said


@pytest.mark.parametrize("hosts", ["", ".example.com, localhost"])
def test_health_check_asks_for_a_host_that_is_served(
    image: Image, replica: Replica, hosts: str
) -> None:
    replica.variables |= {"ALLOWED_HOSTS": hosts}
    replica.start()
    try:
        until_up(image, replica)
        replica.kill()
        assert health(image, replica) == 1
    finally:
        replica.kill()


def health(image: Image, replica: Replica) -> int:
    process = image.run(health_command(), replica.variables, stderr=subprocess.DEVNULL)
    return process.wait(10)


def until_up(image: Image, replica: Replica) -> None:
    for _ in range(40):
        if health(image, replica) == 0:
            return
    raise AssertionError("never healthy")


def test_image_has_what_is_needed_and_nothing_else(image: Image) -> None:
    copied = {source.strip("/") for sources, _ in copies() for source in sources}
    assert {path.split("/")[0] for path in context()} == copied
    found = {path.name for path in image.app.iterdir()}
    found -= {"__pycache__"}
    assert found == copied - {"requirements.txt"}
    assert list(image.app.rglob("*.pyc"))
    for path in image.app.rglob("*"):
        assert path.stat().st_mode & 0o444 == 0o444, path
    assert not [path for path in context() if ".env" in path or "sqlite3" in path]


def test_no_bytecode_is_compiled_again(image: Image) -> None:
    compiled = {path.stem.split(".")[0] for path in image.app.rglob("*.pyc")}
    assert compiled == {path.stem.split(".")[0] for path in image.app.rglob("*.py")}
    # PEP 552: flags 1 are "by hash, and do not compare it".
    assert {p.read_bytes()[4:8] for p in image.app.rglob("*.pyc")} == {b"\1\0\0\0"}


def test_dockerfile_declares_what_operators_expect() -> None:
    lines = instructions()
    assert ("STOPSIGNAL", "SIGTERM") in lines
    user, group = of("USER")[-1].split(":")
    assert int(user) >= 1000
    assert int(group) >= 1000
    assert environment()["PYTHONUNBUFFERED"] == "1"
    assert environment()["PYTHONDONTWRITEBYTECODE"] == "1"
    assert environment()["HOST"] == "0.0.0.0"
    install = next(rest for rest in of("RUN") if " install " in rest)
    assert "--require-hashes" in install
    assert "--only-binary=:all:" in install
    assert {first.split()[0].split(":")[0] for first in of("FROM")} == {"python"}
    labels = re.findall(r"org\.opencontainers\.image\.([a-z.]+)=", of("LABEL")[0])
    assert {"title", "licenses", "version", "revision"} <= set(labels)


def test_every_package_comes_as_a_wheel_with_a_hash() -> None:
    lock = (ROOT / "requirements.txt").read_text()
    entries = re.findall(r"^(\S+==\S+)[^\n]*\\\n\s+--hash=", lock, flags=re.M)
    assert len(entries) == len(re.findall(r"^\S+==", lock, flags=re.M)) > 10
