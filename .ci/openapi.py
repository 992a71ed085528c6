"""What OpenAPI 3.1 descriptions allow, and what one does not that another does."""

from collections.abc import Iterator
from typing import Any

METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
MOST = ["maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties"]
LEAST = {"minimum": None, "exclusiveMinimum": None, "minLength": 0, "minItems": 0}
EXACT = ["format", "pattern", "multipleOf", "uniqueItems", "not", "propertyNames"]
Node = dict[str, Any]
Found = Iterator[tuple[str, str]]  # where, and what
Way = frozenset[tuple[int, int]]  # what is being compared, from the outside in


class Document:
    """A description whose references are followed."""

    def __init__(self, data: Node) -> None:
        self.data = data
        self.version = str(data["info"]["version"])

    @property
    def major(self) -> int:
        return int(self.version.partition(".")[0])

    def target(self, node: Any) -> Any:
        """What a reference leads to, or the node itself."""
        while isinstance(node, dict) and "$ref" in node:
            names = node["$ref"].removeprefix("#/").split("/")
            node = self.data
            for name in names:
                node = node[name.replace("~1", "/").replace("~0", "~")]
        return node

    def at(self, node: Any) -> Node:
        """The same as an object that may be changed; a `$ref` may have company."""
        found = self.target(node)
        if isinstance(found, dict):
            return found | {k: v for k, v in node.items() if k != "$ref"}
        return {"not": {}} if found is False else {}

    def operations(self) -> dict[str, Node]:
        found = {}
        for path, item in self.data["paths"].items():
            for method in sorted(METHODS & item.keys()):
                operation = {"security": self.data.get("security", [])} | item[method]
                operation["parameters"] = self.parameters(item, item[method])
                found[f"{method.upper()} {path}"] = operation
        return found

    def parameters(self, *nodes: Node) -> dict[str, Node]:
        found = [self.at(p) for node in nodes for p in node.get("parameters", [])]
        return {f"{p['in']} parameter {p['name']}": p for p in found}

    def kinds(self, node: Any) -> list[Node]:
        """What a value may be one of: schemas of one type each, or of any."""
        schema = self.at(node)
        for part in map(self.at, schema.pop("allOf", [])):
            names = part.get("properties", {}) | schema.get("properties", {})
            must = [*part.get("required", []), *schema.get("required", [])]
            schema = part | schema | {"properties": names, "required": must}
        choices = schema.pop("oneOf", None) or schema.pop("anyOf", None)
        if choices:
            return [schema | kind for each in choices for kind in self.kinds(each)]
        if isinstance(schema.get("type"), list):
            return [schema | {"type": kind} for kind in schema["type"]]
        return [schema]


class Loss:
    """What schemas of a wide document allow and their namesakes in a narrow one do not.

    For requests the old document is the wide one: what may be sent no longer. For
    answers the new one is: what clients have never seen.
    """

    def __init__(self, wide: Document, narrow: Document, *, answers: bool) -> None:
        self.wide, self.narrow, self.answers = wide, narrow, answers

    def between(
        self, wide: Any, narrow: Any, where: str, way: Way = frozenset()
    ) -> Found:
        pair = id(self.wide.target(wide)), id(self.narrow.target(narrow))
        if pair in way:  # it refers to itself
            return
        way |= {pair}
        targets = self.narrow.kinds(narrow)
        for source in self.wide.kinds(wide):
            alike = [t for t in targets if t.get("type") == source.get("type")]
            tried = [[*self.within(source, t, where, way)] for t in alike or targets]
            yield from min(tried, key=len)

    def within(self, source: Node, target: Node, where: str, way: Way) -> Found:
        for key in differences(source, target):
            was, now = source.get(key), target.get(key)
            if self.answers:
                was, now = now, was
            yield where, f"{key} was {was}, is {now}"
        yield from self.names(source, target, where)
        for name, (wide, narrow) in pairs(source, target).items():
            yield from self.between(wide, narrow, f"{where}{name}", way)
        yield from self.other_names(source, target, f"{where}.*", way)

    def names(self, source: Node, target: Node, where: str) -> Found:
        ours, theirs = source.get("properties", {}), target.get("properties", {})
        gone = theirs.keys() - ours if self.answers else ours.keys() - theirs
        if not self.answers and target.get("additionalProperties", False) is not False:
            gone = set()
        must = set(target.get("required", [])) - set(source.get("required", []))
        for name in sorted(gone):
            yield f"{where}.{name}", "is gone"
        for name in sorted(must - gone):
            yield f"{where}.{name}", "may be missing" if self.answers else "is required"

    def other_names(self, source: Node, target: Node, where: str, way: Way) -> Found:
        wide = source.get("additionalProperties", not self.answers)
        narrow = target.get("additionalProperties", True)
        if narrow is True or wide is False:
            return
        if narrow is not False:
            yield from self.between(wide, narrow, where, way)
        elif not self.answers:  # new names in answers are what clients must ignore
            yield where, "is gone"


def pairs(source: Node, target: Node) -> dict[str, tuple[Any, Any]]:
    """What of a value is described in both."""
    ours, theirs = source.get("properties", {}), target.get("properties", {})
    found = {f".{name}": (ours[name], theirs[name]) for name in ours if name in theirs}
    rest = target.get("additionalProperties")
    if isinstance(rest, dict):
        found |= {f".{name}": (ours[name], rest) for name in ours if name not in theirs}
    if "items" in target:
        found["[]"] = source.get("items"), target["items"]
    return found


def differences(source: Node, target: Node) -> list[str]:
    """The keywords by which target allows less than source."""
    kind, wanted = source.get("type"), target.get("type")
    if wanted not in (None, kind) and (kind, wanted) != ("integer", "number"):
        return ["type"]
    allowed = values(target)
    if allowed is not None and not is_within(values(source), allowed):
        return ["enum" if "enum" in target else "const"]
    return [] if kind == "null" else bounds(source, target)


def bounds(source: Node, target: Node) -> list[str]:
    def is_less(key: str) -> bool:
        limit = source.get(key, LEAST.get(key))
        if key in EXACT:
            return target[key] not in (False, limit)
        return limit is None or (limit - target[key]) * (-1 if key in LEAST else 1) > 0

    return [key for key in [*MOST, *LEAST, *EXACT] if key in target and is_less(key)]


def values(schema: Node) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def is_within(some: list[Any] | None, allowed: list[Any]) -> bool:
    return some is not None and all(each in allowed for each in some)
