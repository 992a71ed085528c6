"""Nginx with the configuration of deploy/nginx, before replicas on this machine."""

import os
import re
import shutil
import signal
import ssl
import subprocess
import time
from collections.abc import Callable
from contextlib import closing, suppress
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path
from typing import Any

from tests.deploy.image import ROOT, Image, free_port, of
from tests.launcher import death_pact

CONFIGURATION = ROOT / "deploy" / "nginx"
# Distributions keep it where only root looks.
NGINX = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin:/usr/local/sbin")
SECONDS = 20


def until(is_so: Callable[[], bool], process: subprocess.Popen[Any]) -> None:
    deadline = time.monotonic() + SECONDS
    while not is_so():
        assert process.poll() is None, f"ended with status {process.returncode}"
        assert time.monotonic() < deadline, "does not get ready"
        time.sleep(0.02)


class Replica:
    """One server, by the very CMD of the image."""

    def __init__(self, image: Image, variables: dict[str, str]) -> None:
        self.image = image
        self.variables = variables
        self.port = int(variables["PORT"])

    def start(self) -> None:
        command = list(eval(of("CMD")[0]))
        self.process = self.image.run(
            command, self.variables, stdout=subprocess.DEVNULL
        )

    def wait(self) -> None:
        until(self.answers, self.process)

    def answers(self) -> bool:
        connection = HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", "/livez")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def register(self, account: str, address: str) -> tuple[int, None, bytes]:
        """Make this account from an address that a proxy has told."""
        headers = {"Content-Type": "application/json", "X-Forwarded-For": address}
        with closing(HTTPConnection("127.0.0.1", self.port, timeout=5)) as connection:
            connection.request("POST", "/api/auth/register", account, headers)
            response = connection.getresponse()
            return response.status, None, response.read()

    def stop(self) -> int:
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(40)

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            # Its workers, too, which would notice a second later.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


class Proxy:
    """A running nginx; `changes` are made to the text of its configuration."""

    def __init__(self, folder: Path, ports: list[int], **changes: str) -> None:
        self.folder = folder
        self.port = free_port()
        self.drained = folder / "tmp" / "drained"
        self.drained.mkdir(parents=True)
        self.upstream(ports)
        certificate(folder)
        text = (CONFIGURATION / "nginx.conf").read_text()
        here = {
            "listen 8443": f"listen 127.0.0.1:{self.port}",
            "listen 127.0.0.1:8080": f"listen 127.0.0.1:{free_port()}",
            "/run/secrets/": f"{folder}/",
            "/tmp/": f"{folder}/tmp/",
            "/dev/stdout": f"{folder}/access.log",
            "/dev/stderr": f"{folder}/error.log",
            **changes,
        }
        assert [was for was in here if was not in text] == []
        # In one pass, because the folder itself may be in /tmp.
        parts = re.split(f"({'|'.join(map(re.escape, here))})", text)
        text = "".join(here.get(part, part) for part in parts)
        (folder / "nginx.conf").write_text(text)

    def upstream(self, ports: list[int]) -> None:
        """The same groups with addresses for names, which need no resolver."""
        text = (CONFIGURATION / "upstream.conf").read_text()
        text = re.sub(r"^resolver .*\n", "", text, flags=re.M).replace(" resolve", "")
        for number, port in enumerate(ports, 1):
            text = text.replace(f"api{number}:8000", f"127.0.0.1:{port}")
        (self.folder / "upstream.conf").write_text(text)

    def command(self, *more: str) -> list[str]:
        configuration = str(self.folder / "nginx.conf")
        # As root it would hand over to an account that may not enter the folder.
        user = "" if os.geteuid() else "user root;"
        return [str(NGINX), "-c", configuration, "-g", f"daemon off; {user}", *more]

    def start(self) -> None:
        self.process = subprocess.Popen(
            self.command(),
            stdin=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            preexec_fn=death_pact(signal.SIGTERM),
        )
        until(self.listens, self.process)

    def listens(self) -> bool:
        with closing(self.connect()) as connection, suppress(OSError):
            connection.connect()
            return True
        return False

    def stop(self) -> None:
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(10)

    def connect(self) -> HTTPSConnection:
        context = ssl.create_default_context(cafile=self.folder / "tls_certificate")
        return HTTPSConnection("localhost", self.port, timeout=30, context=context)

    def ask(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        """One request on a connection of its own; header names with _ for -."""
        connection = self.connect()
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(method, path, body, named)
            answer = connection.getresponse()
            lower = {name.lower(): value for name, value in answer.getheaders()}
            return answer.status, lower, answer.read()
        finally:
            connection.close()

    def errors(self) -> str:
        return (self.folder / "error.log").read_text()


def certificate(folder: Path) -> None:
    """Made by the very script that makes it for compose."""
    place = folder / "compose"
    place.mkdir()
    script = shutil.copy2(ROOT / "deploy" / "compose" / "prepare", place)
    subprocess.run([script, "localhost"], check=True, capture_output=True)
    for name in ["tls_certificate", "tls_key"]:
        shutil.copy2(place / "secrets" / name, folder / name)
