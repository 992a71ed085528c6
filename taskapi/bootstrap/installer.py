"""Keeps `.venv` equal to the lock files, with the standard library alone."""

import fcntl
import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / "bin" / "python"
# Only a `.venv` that this module created has this file. It names the Python that was
# used, once the creation is complete. Packages are installed into any other `.venv`,
# too, but it is never removed.
MARKER = VENV / "taskapi-python"
CREATED_WITH = f"{sys.version}\n{sys.base_prefix}\n"
RUNTIME = "requirements.txt"
TEST = "requirements-test.txt"
SERVICES = "requirements-services.txt"
INCLUDED = {RUNTIME: [RUNTIME], TEST: [RUNTIME, TEST], SERVICES: [SERVICES]}
# Either may undo the other: they pin the same packages, but change independently.
INVALIDATED = {RUNTIME: [RUNTIME, TEST], TEST: [RUNTIME, TEST], SERVICES: [SERVICES]}
FAILURES = {
    r"DO NOT MATCH THE HASHES": "a package does not have the hash in {file}",
    r"connection broken|from versions: none|Timeout|ProxyError|SSLError": (
        "the packages of {file} could not be downloaded: is there a network?"
    ),
    r"No space left": "the disk is full",
}


class RefusalError(Exception):
    """A sentence for the user, and the output that explains it."""

    def __init__(self, sentence: str, output: str = "") -> None:
        super().__init__(sentence)
        self.output = output


def prepare(requirements: str, *options: str) -> None:
    """Install the packages of a lock file into `.venv`, unless it has them."""
    if is_ready(requirements):
        return
    with lock():
        if not is_ready(requirements):
            ensure_venv()
            install(requirements, *options)


def is_ready(requirements: str) -> bool:
    return is_usable() and read(stamp(requirements)) == digest(requirements)


def is_usable() -> bool:
    return PYTHON.exists() and read(MARKER) in {None, CREATED_WITH}


def ensure_venv() -> None:
    if MARKER.exists():
        if is_usable():
            return
        shutil.rmtree(VENV)
    elif VENV.exists():
        return check_handmade_venv()
    create_venv()


def create_venv() -> None:
    for module in ("venv", "ensurepip"):
        if importlib.util.find_spec(module) is None:
            raise RefusalError(f"this Python lacks {module}: install python3-venv")
    log("making .venv")
    VENV.mkdir()
    MARKER.touch()
    command: list[str | Path] = [sys.executable, "-m", "venv", VENV]
    result = subprocess.run(command, capture_output=True, text=True)
    if result.returncode:
        raise RefusalError("making .venv failed", result.stdout + result.stderr)
    MARKER.write_text(CREATED_WITH)


def check_handmade_venv() -> None:
    probe = "import pip, sys; sys.exit(sys.version_info < (3, 11))"
    try:
        subprocess.run([PYTHON, "-c", probe], check=True, capture_output=True)
    except (OSError, subprocess.CalledProcessError):
        sentence = (
            f"{VENV} is not a working environment of Python 3.11 or newer: remove it"
        )
        raise RefusalError(sentence) from None


def install(requirements: str, *options: str) -> None:
    log(f"installing {requirements} into .venv")
    for file in INVALIDATED[requirements]:
        stamp(file).unlink(missing_ok=True)
    pip = [
        str(PYTHON),
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--require-hashes",
    ]
    command = [*pip, *options, "-r", str(ROOT / requirements)]
    result = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if result.returncode:
        raise RefusalError(explain(requirements, result.stdout), result.stdout)
    for file in INCLUDED[requirements]:
        stamp(file).write_text(digest(file))


def explain(requirements: str, output: str) -> str:
    """Summarise pip's output in one sentence."""
    for pattern, sentence in FAILURES.items():
        if re.search(pattern, output):
            return sentence.format(file=requirements)
    return f"pip could not install {requirements}"


def stamp(requirements: str) -> Path:
    return VENV / f"{requirements}.sha256"


def digest(requirements: str) -> str:
    return hashlib.sha256((ROOT / requirements).read_bytes()).hexdigest()


def read(path: Path) -> str | None:
    return path.read_text() if path.exists() else None


def log(message: str) -> None:
    print(f"taskapi: {message}", file=sys.stderr, flush=True)


@contextmanager
def lock() -> Iterator[None]:
    """Let only one command at a time change the checkout."""
    folder = os.open(ROOT, os.O_RDONLY)
    try:
        try:
            fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            log("waiting for another taskapi command to finish installing")
            fcntl.flock(folder, fcntl.LOCK_EX)
        yield
    finally:
        os.close(folder)
