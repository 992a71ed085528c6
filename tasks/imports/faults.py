"""The problems of an import, one line for each kind: each row may have one."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

MAX_KINDS = 50
NUMBER = re.compile(r"\d+")


@dataclass
class Kind:
    """Problems that differ in numbers only: the first, and how many there are."""

    line: int
    problem: str
    count: int = 1

    def __str__(self) -> str:
        more = f" (and {self.count - 1:,} more like it)" if self.count > 1 else ""
        return f"{self.line}: {self.problem}{more}"


class Faults:
    def __init__(self) -> None:
        self.kinds: dict[str, Kind] = {}
        self.others = 0

    def add(self, line: int, problem: str) -> None:
        key = NUMBER.sub("0", problem)
        if kind := self.kinds.get(key):
            kind.count += 1
        elif len(self.kinds) < MAX_KINDS:
            self.kinds[key] = Kind(line, problem)
        else:
            self.others += 1

    def lines(self) -> Iterator[str]:
        yield from map(str, self.kinds.values())
        if self.others:
            yield f" {self.others:,} more problems of other kinds"
