"""A finding, and how a check that raises becomes one."""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warning", "failed"]
STATUSES: tuple[Status, ...] = ("ok", "warning", "failed")  # from good to bad


@dataclass(frozen=True)
class Finding:
    """What was found, and for anything but `ok` what to do."""

    check: str
    status: Status
    message: str
    hint: str = ""


Check = Callable[[], Iterable[Finding]]


def run(name: str, check: Check) -> Iterator[Finding]:
    """The findings of a check; an exception is one, too."""
    try:
        yield from check()
    except Exception as error:  # each client library has exceptions of its own
        reason = str(error).strip().partition("\n")[0] or type(error).__name__
        yield Finding(name, "failed", reason)


def worst(findings: Iterable[Finding]) -> Status:
    numbers = [STATUSES.index(finding.status) for finding in findings]
    return STATUSES[max(numbers, default=0)]
