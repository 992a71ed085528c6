"""Accounts and tasks on the live server, made as a client makes them."""

from dataclasses import dataclass
from itertools import count
from typing import Any
from uuid import UUID

from tests.factories import PASSWORD
from tests.live.server import Server
from tests.live.wire import Answer, request

numbers = count(1)


@dataclass(frozen=True)
class Tokens:
    """One session as its client holds it."""

    email: str
    user_id: UUID
    access: str
    refresh: str

    @classmethod
    def of(cls, answer: Answer) -> "Tokens":
        assert answer.status in {200, 201}, answer.body
        body = answer.json
        user = body["user"]
        tokens = body["accessToken"], body["refreshToken"]
        return cls(user["email"], UUID(user["id"]), *tokens)


def register(server: Server) -> Tokens:
    email = f"person{next(numbers)}@example.com"
    about = {"name": "Alice", "email": email, "password": PASSWORD}
    return Tokens.of(server.ask(request("POST", "/api/auth/register", about)))


def login(server: Server, email: str, password: str = PASSWORD) -> Tokens:
    return Tokens.of(server.ask(login_request(email, password)))


def login_request(email: str, password: str, **headers: str) -> bytes:
    proof = {"email": email, "password": password}
    return request("POST", "/api/auth/login", proof, **headers)


def refresh_request(token: str) -> bytes:
    return request("POST", "/api/auth/refresh", {"refreshToken": token})


def logout_request(token: str) -> bytes:
    return request("POST", "/api/auth/logout", {"refreshToken": token})


def me_request(token: str) -> bytes:
    return request("GET", "/api/auth/me", token=token)


def make_task(server: Server, tokens: Tokens, **values: Any) -> dict[str, Any]:
    data = {"title": "Water the plants"} | values
    answer = server.ask(request("POST", "/api/tasks", data, token=tokens.access))
    assert answer.status == 201, answer.body
    return dict(answer.json)


def read_task(server: Server, tokens: Tokens, task_id: str) -> dict[str, Any]:
    answer = server.ask(request("GET", f"/api/tasks/{task_id}", token=tokens.access))
    assert answer.status == 200, answer.body
    return dict(answer.json)


def patch_request(tokens: Tokens, task_id: str, data: Any, **headers: str) -> bytes:
    path = f"/api/tasks/{task_id}"
    return request("PATCH", path, data, token=tokens.access, **headers)
