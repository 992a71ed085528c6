"""A client that follows changes, and what the lists show to compare it with."""

from typing import Any

from rest_framework.test import APIClient

CHANGES = "/api/changes"
Copy = dict[str, dict[str, Any]]
KINDS = ("project", "member", "label", "task", "comment")


class Follower:
    """Keeps a copy: of each kind of thing what there is, by its id."""

    def __init__(self, api: APIClient, limit: int = 100) -> None:
        self.api, self.limit = api, limit
        self.token: str | None = None
        self.copy: Copy = {kind: {} for kind in KINDS}
        # Of the last round.
        self.items: list[dict[str, Any]] = []
        self.pages = 0

    def page(self) -> dict[str, Any]:
        since = {"since": self.token} if self.token else {}
        response = self.api.get(CHANGES, {"limit": self.limit, **since})
        assert response.status_code == 200, response.content
        body: dict[str, Any] = response.json()
        assert len(body["items"]) <= self.limit
        self.token = body["nextToken"]
        for item in body["items"]:
            self.apply(item)
        return body

    def sync(self) -> list[dict[str, Any]]:
        """Follow a round to its end; its items."""
        self.items, self.pages = [], 0
        has_more = True
        while has_more:
            body = self.page()
            self.items += body["items"]
            self.pages += 1
            has_more = body["hasMore"]
        return self.items

    def apply(self, item: dict[str, Any]) -> None:
        kind, pk = item["type"], item["id"]
        if item["op"] == "upsert":
            self.copy[kind][pk] = item["data"]
            return
        assert item["data"] is None
        self.copy[kind].pop(pk, None)
        if kind == "project":
            self.drop("member", "projectId", pk)
            for task in self.drop("task", "projectId", pk):
                self.drop("comment", "taskId", task)
        if kind == "task":
            self.drop("comment", "taskId", pk)

    def drop(self, kind: str, name: str, value: str) -> list[str]:
        things = self.copy[kind]
        gone = [pk for pk, data in things.items() if data[name] == value]
        for pk in gone:
            del things[pk]
        return gone

    def told(self) -> list[tuple[str, str, str]]:
        return [(each["type"], each["op"], each["id"]) for each in self.items]


def shown(api: APIClient, *, labels: bool = True) -> Copy:
    """All that the lists show."""
    copy: Copy = {kind: {} for kind in KINDS}
    copy["project"] = by_id(api, "/api/projects?archived=all")
    for pk in copy["project"]:
        for member in read(api, f"/api/projects/{pk}/members")["items"]:
            if member["role"] != "OWNER":
                data = {"projectId": pk, **member}
                del data["name"]
                copy["member"][f"{pk}:{member['userId']}"] = data
    copy["label"] = by_id(api, "/api/labels") if labels else {}
    copy["task"] = by_id(api, "/api/tasks?archived=all")
    for pk in copy["task"]:
        copy["comment"] |= by_id(api, f"/api/tasks/{pk}/comments")
    return copy


def by_id(api: APIClient, url: str) -> dict[str, Any]:
    """What all pages of a list have."""
    found: dict[str, Any] = {}
    url += "&limit=100" if "?" in url else "?limit=100"
    cursor = ""
    while cursor is not None:
        body = read(api, f"{url}&cursor={cursor}" if cursor else url)
        found |= {each["id"]: each for each in body["items"]}
        cursor = body["nextCursor"]
    return found


def read(api: APIClient, url: str) -> Any:
    response = api.get(url)
    assert response.status_code == 200, response.content
    return response.json()
