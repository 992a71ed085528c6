#!/usr/bin/env python3
"""Compare docs/openapi.yaml with the last release's, and refuse what breaks clients.

docs/api-changes.md has the rules, and how to break them: a breaking change is let
through when the first number of `info.version` has grown. With two arguments, compares
these files, the old one and the new one.
"""

import sys
from pathlib import Path
from typing import Any

import yaml
from openapi import Document, Found, Loss, Node
from previous_release import BASELINE, ROOT, git, previous_releases

SCHEMA = "docs/openapi.yaml"


class Comparison:
    """An old and a new description, and what breaks clients on the way."""

    def __init__(self, old: Document, new: Document) -> None:
        self.old, self.new = old, new
        self.asked = Loss(old, new, answers=False)
        self.answered = Loss(new, old, answers=True)

    def breaking(self) -> dict[str, list[str]]:
        """What, and in which operations."""
        found: dict[str, set[str]] = {}
        now = self.new.operations()
        for name, operation in self.old.operations().items():
            for where, what in self.operation(operation, now.get(name)):
                found.setdefault(f"{where} {what}", set()).add(name)
        return {what: sorted(found[what]) for what in sorted(found)}

    def operation(self, was: Node, now: Node | None) -> Found:
        if now is None:
            yield "the operation", "is gone"
            return
        if was.get("operationId") != now.get("operationId"):
            change = f"was {was.get('operationId')}, is {now.get('operationId')}"
            yield "operationId", change
        yield from self.security(was["security"] or [{}], now["security"] or [{}])
        yield from self.parameters(was["parameters"], now["parameters"])
        yield from self.body(was.get("requestBody"), now.get("requestBody"))
        yield from self.responses(was["responses"], now["responses"])

    def security(self, was: list[Node], now: list[Node]) -> Found:
        for way in was:
            if not any(each.keys() <= way.keys() for each in now):
                yield f"access with {' and '.join(way) or 'nothing'}", "is gone"

    def parameters(self, was: dict[str, Node], now: dict[str, Node]) -> Found:
        for name in was.keys() - now:
            yield name, "is gone"
        for name, parameter in now.items():
            before = was.get(name, {})
            if parameter.get("required") and not before.get("required"):
                yield name, "is required"
            if before:
                pair = before.get("schema"), parameter.get("schema")
                yield from self.asked.between(*pair, name)
                yield from self.format(before, parameter, name)

    def format(self, was: Node, now: Node, where: str) -> Found:
        for key in ("style", "explode"):
            if was.get(key) != now.get(key):
                yield f"{where}: {key}", f"was {was.get(key)}, is {now.get(key)}"

    def body(self, was: Any, now: Any) -> Found:
        old, new = self.old.at(was), self.new.at(now)
        if new.get("required") and not old.get("required"):
            yield "the body", "is required"
        yield from self.contents(old, new, self.asked, "body")

    def responses(self, was: Node, now: Node) -> Found:
        for status, node in was.items():
            if status in now:
                old, new = self.old.at(node), self.new.at(now[status])
                where = f"{status} answer" if is_success(status) else "error"
                yield from self.contents(old, new, self.answered, where)
                for name in old.get("headers", {}).keys() - new.get("headers", {}):
                    yield f"{status} answer: header {name}", "is gone"
            elif is_success(status):
                yield f"{status} answer", "is gone"
        for status in filter(is_success, now.keys() - was):
            yield f"{status} answer", "is new"

    def contents(self, old: Node, new: Node, loss: Loss, where: str) -> Found:
        was, now = old.get("content", {}), new.get("content", {})
        for media_type, content in was.items():
            if media_type not in now:
                yield f"{where}: {media_type}", "is gone"
                continue
            pair = content.get("schema"), now[media_type].get("schema")
            wide, narrow = pair if loss is self.asked else pair[::-1]
            yield from loss.between(wide, narrow, where)


def is_success(status: str) -> bool:
    """Errors may come and go: clients know them by their class."""
    return status[0] in "123"


def read(text: str) -> Document:
    return Document(yaml.safe_load(text))


def released(commit: str) -> Document:
    return read(git("show", f"{commit}:{BASELINE}"))


def against_releases() -> int:
    """Compare with the last release, and that one with the one before it.

    Else a commit that changes both files could be followed by one that hides it.
    """
    releases = previous_releases()
    if not releases:
        print("breaking changes: this commit makes the first release: NOTHING IS")
        print("COMPARED, and from now on the baseline is what is promised")
        return 0
    last = released(releases[0])
    print(f"breaking changes: comparing {SCHEMA} with {BASELINE} of {releases[0]}")
    status = report(last, read((ROOT / SCHEMA).read_text()))
    if len(releases) > 1:
        print(f"breaking changes: comparing that one with the one of {releases[1]}")
        status |= report(released(releases[1]), last)
    return status


def report(old: Document, new: Document) -> int:
    found = Comparison(old, new).breaking()
    for what, operations in found.items():
        print(f"- {what}: {', '.join(operations)}")
    is_allowed = new.major > old.major
    print(
        f"breaking changes: {len(found)} from {old.version} to {new.version}"
        + (", as its major number says" if found and is_allowed else "")
    )
    return int(bool(found) and not is_allowed)


def main(arguments: list[str]) -> int:
    if not arguments:
        return against_releases()
    old, new = (read(Path(each).read_text()) for each in arguments)
    return report(old, new)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
