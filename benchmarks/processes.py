"""What a server's processes use, from /proc; None where there is no such thing."""

import os
from collections.abc import Iterator
from pathlib import Path

PROC = Path("/proc")
TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
# Fields after the name, proc(5). TIMES are user and system, its own and those of
# children that have ended, such as workers that have served their requests.
PARENT, TIMES, RESIDENT = 1, slice(11, 15), 21


def fields(pid: int) -> list[str] | None:
    try:
        text = (PROC / str(pid) / "stat").read_text()
    except OSError:
        return None  # it has ended
    return text.rpartition(")")[2].split()


def tree(root: int) -> Iterator[int]:
    """The process and all that it started."""
    parents = {}
    for entry in PROC.iterdir():
        if entry.name.isdigit() and (found := fields(int(entry.name))):
            parents[int(entry.name)] = int(found[PARENT])
    waiting = [root]
    while waiting:
        pid = waiting.pop()
        yield pid
        waiting += [child for child, parent in parents.items() if parent == pid]


def cpu_seconds(root: int | None) -> float | None:
    """Of the process and its descendants, user and system."""
    if root is None or not PROC.is_dir():
        return None
    found = [each for pid in tree(root) if (each := fields(pid))]
    ticks = sum(int(ticks) for each in found for ticks in each[TIMES])
    return ticks / TICKS_PER_SECOND


def resident_bytes(pid: int) -> int:
    """The memory that a process has in use, with what it shares with others."""
    found = fields(pid)
    return int(found[RESIDENT]) * PAGE_BYTES if found else 0


def machine() -> str:
    """This machine in words."""
    model, memory = "a processor of unknown make", 0
    if PROC.is_dir():
        lines = (PROC / "cpuinfo").read_text().splitlines()
        names = [x.partition(": ")[2] for x in lines if x.startswith("model name")]
        model = names[0] if names else model
        memory = os.sysconf("SC_PHYS_PAGES") * PAGE_BYTES
    system = os.uname()
    cores = f"{os.cpu_count()} cores, {memory / 2**30:.0f} GiB"
    return f"{model}, {cores}, {system.sysname} {system.release} {system.machine}"
