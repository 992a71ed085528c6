"""What the Dockerfile says, done in a folder: there is no container engine in here."""

import ctypes
import os
import random
import re
import shlex
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from fnmatch import fnmatch
from pathlib import Path
from typing import Any, Self

from tests.launcher import death_pact

ROOT = Path(__file__).resolve().parents[2]
DROP_FROM_BOUNDING_SET = 24  # PR_CAPBSET_DROP of <sys/prctl.h>
NO_NEW_PRIVILEGES = 38  # PR_SET_NO_NEW_PRIVS


def free_port() -> int:
    """One below 32768, which no outgoing connection takes in the meantime."""
    while True:
        with suppress(OSError):
            port = random.randrange(15000, 32000)
            socket.create_server(("127.0.0.1", port)).close()
            return port


def instructions() -> list[tuple[str, str]]:
    """The Dockerfile as (instruction, rest of its line)."""
    text = re.sub(r"^\s*#.*\n", "", (ROOT / "Dockerfile").read_text(), flags=re.M)
    lines = re.sub(r"\\\n\s*", "", text).splitlines()
    return [
        (op, rest) for op, _, rest in (line.partition(" ") for line in lines if line)
    ]


def of(op: str) -> list[str]:
    return [rest for name, rest in instructions() if name == op]


def environment() -> dict[str, str]:
    pairs = shlex.split(" ".join(of("ENV")))
    return dict(pair.split("=", 1) for pair in pairs)


def health_command() -> list[str]:
    return list(eval(of("HEALTHCHECK")[0].partition(" CMD ")[2].strip()))


def copies() -> Iterator[tuple[list[str], str]]:
    """Sources and destination of what comes from the checkout."""
    for rest in of("COPY"):
        if not rest.startswith("--from"):
            *sources, destination = rest.split()
            yield sources, destination


def context() -> list[str]:
    """The files that .dockerignore lets through, as paths inside the checkout."""
    patterns = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if line and not line.startswith("#")
    ]
    found = []
    for folder, folders, files in os.walk(ROOT):
        inside = Path(folder).relative_to(ROOT)
        folders[:] = [f for f in folders if is_sent(str(inside / f), patterns)]
        paths = [str(inside / each) for each in files]
        found += [path for path in paths if is_sent(path, patterns)]
    return found


def is_sent(path: str, patterns: list[str]) -> bool:
    """The last matching pattern decides; one for a folder is for all inside, too."""
    parts = path.split("/")
    heads = ["/".join(parts[: n + 1]) for n in range(len(parts))]
    sent = True
    for pattern in patterns:
        glob = pattern.lstrip("!")
        either = [glob, glob.removeprefix("**/")]
        names = parts if glob.startswith("**/") else heads
        if any(fnmatch(n, g) and "/" not in g for n in names for g in either):
            sent = pattern.startswith("!")
    return sent


@dataclass(frozen=True)
class Image:
    folder: Path
    venv: Path

    @classmethod
    def build(cls, folder: Path, *, own_venv: bool) -> Self:
        """Do the builder's steps; the venv of the tests stands in for the image's."""
        image = cls(folder, folder / "venv" if own_venv else Path(sys.prefix))
        for sources, destination in copies():
            image.copy(sources, Path(image.mapped(destination)), destination)
        for step in of("RUN"):
            if own_venv and "/venv" in step:
                image.step(step)
            elif "/app" in step:
                image.step(step.replace(" /venv", ""))
        image.step("chmod -R a-w /app")
        return image

    @property
    def app(self) -> Path:
        return self.folder / "app"

    def mapped(self, text: str) -> str:
        """The image's paths, and where they are here."""
        text = re.sub(r"(?<![\w/])/venv\b", str(self.venv), text)
        return re.sub(r"(?<![\w/])/(app|requirements)\b", rf"{self.folder}/\1", text)

    def copy(self, sources: list[str], target: Path, destination: str) -> None:
        for path in context():
            for source in sources:
                if path == source:
                    to = target / path if destination.endswith("/") else target
                elif source.endswith("/") and path.startswith(source):
                    to = target / path.removeprefix(source)
                else:
                    continue
                to.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / path, to)

    def step(self, command: str) -> None:
        path = f"{Path(sys.executable).parent}:{os.defpath}"
        subprocess.run(
            ["sh", "-ec", self.mapped(command)], env={"PATH": path}, check=True
        )

    def run(
        self, command: list[str], variables: dict[str, str], **more: Any
    ) -> subprocess.Popen[Any]:
        """Start a command as a container would: with no variables and no privileges."""
        declared = {n: self.mapped(v) for n, v in environment().items()}
        declared["PATH"] = declared["PATH"].replace("$PATH", os.defpath)
        everything = declared | variables
        return subprocess.Popen(
            [shutil.which(command[0], path=everything["PATH"]) or "", *command[1:]],
            cwd=self.mapped(of("WORKDIR")[0]),
            env=everything,
            stdin=subprocess.DEVNULL,
            start_new_session=True,
            preexec_fn=give_up_privileges,
            **more,
        )


def give_up_privileges() -> None:
    """Be stopped by the modes of files even as root, as with `cap_drop: [ALL]`."""
    if sys.platform == "linux":
        prctl = ctypes.CDLL(None).prctl
        if os.geteuid() == 0:
            for capability in range(64):
                prctl(DROP_FROM_BOUNDING_SET, capability)
        prctl(NO_NEW_PRIVILEGES, 1, 0, 0, 0)
        if pact := death_pact(signal.SIGKILL):
            pact()
