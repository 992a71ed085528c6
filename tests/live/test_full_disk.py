"""A log that cannot be written costs the log, not the requests."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from time import monotonic, sleep
from urllib.error import URLError
from urllib.request import urlopen

import pytest

from tests.deploy.image import free_port
from tests.live.server import GUNICORN, ROOT

pytestmark = [pytest.mark.live, pytest.mark.full]


@pytest.mark.skipif(sys.platform != "linux", reason="/dev/full is Linux's")
def test_requests_are_answered_while_the_disk_of_the_log_is_full(
    tmp_path: Path,
) -> None:
    port = free_port()
    about = {
        "DJANGO_SETTINGS_MODULE": "tests.settings",
        "DATABASE_URL": f"sqlite:///{tmp_path}/db.sqlite3",
        "REDIS_URL": "",
        "PORT": str(port),
        # As in the image: else what could not be written fails Python's exit, too.
        "PYTHONUNBUFFERED": "1",
    }
    with (
        open("/dev/full", "wb") as full,
        subprocess.Popen(
            [*GUNICORN, "taskapi.asgi"],
            cwd=ROOT,
            env=os.environ | about,
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=full,
        ) as server,
    ):
        try:
            statuses = [answered(f"http://127.0.0.1:{port}/health") for _ in range(20)]
        finally:
            server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    assert statuses == [200] * 20


def answered(url: str) -> int:
    deadline = monotonic() + 20
    while True:
        try:
            with urlopen(url, timeout=5) as response:
                return int(response.status)
        except URLError:
            assert monotonic() < deadline
            sleep(0.1)
