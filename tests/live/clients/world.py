"""Makes true what the examples of docs/openapi.yaml speak of."""

import json
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from uuid import uuid4

from django.utils import timezone

from accounts import email_change, passwords
from accounts import openapi as examples
from accounts.models import User
from taskapi.api.openapi import EXAMPLE_ID, EXAMPLE_INNER_ID
from tasks.models import Delivery, Project, Role, inbox_id
from tasks.openapi.comments import NEW_COMMENT
from tasks.openapi.examples import NEW_TASK, PROJECT_ID, RECURRENCE
from tasks.openapi.projects import EXAMPLE_OF_MAIL, NEW_PROJECT
from tasks.openapi.projects import NEW_INVITATION as NEW_MEMBER
from tasks.openapi.webhooks import NEW_WEBHOOK
from tasks.operations.invitations import invite
from tests.factories import make_user
from tests.live.people import Tokens, login_request
from tests.live.server import Server
from tests.live.wire import Answer, request
from tests.tasks.sharing import author, make_project, share

PERSON = {
    "name": examples.NAME,
    "email": examples.EMAIL,
    "password": examples.PASSWORD,
}
# What is made by one request.
SIMPLE = {"/api/labels": {"name": "house"}, "/api/webhooks": NEW_WEBHOOK}


class World:
    """One person, her task and her sessions, made anew for each request."""

    def __init__(self, server: Server) -> None:
        self.server = server

    def prepare(self, method: str, path: str) -> dict[str, Any]:
        """Whose token to send, and what stands for the values of the examples."""
        User.objects.filter(email=examples.EMAIL).delete()
        if path == "/api/auth/register":
            return {"bearerToken": "", "real": {}}
        self.tokens = Tokens.of(self.ask("POST", "/api/auth/register", PERSON))
        user = User.objects.get(pk=self.tokens.user_id)
        example = self.example_of(method, path)
        real = {
            EXAMPLE_ID: example,
            EXAMPLE_INNER_ID: self.inner_example_of(example, path),
            PROJECT_ID: str(inbox_id(user.pk)),
            EXAMPLE_OF_MAIL: self.invitation_token(),
            examples.REFRESH: self.tokens.refresh,
            examples.RESET: passwords.make_reset_token(user),
            examples.EMAIL_TOKEN: email_change.request(
                user, f"{uuid4().hex}@example.com", now=timezone.now()
            ),
        }
        is_program = path == "/api/auth/tokens/current"
        bearer = self.personal_token()["token"] if is_program else self.tokens.access
        return {"bearerToken": bearer, "real": real}

    def example_of(self, method: str, path: str) -> str:
        """The id of what the path is about."""
        if "sessions" in path:
            return self.other_session()
        if path.startswith("/api/auth/tokens/"):
            return str(self.personal_token()["id"])
        if "projects" in path or "tokens" in path:
            return self.project(path)
        start = path.partition("/{")[0]
        if start in SIMPLE:
            return str(self.ask("POST", start, SIMPLE[start]).json["id"])
        recurs = path.endswith(("/skip", "/occurrences"))
        body = NEW_TASK | {"recurrence": RECURRENCE if recurs else None}
        task = self.ask("POST", "/api/tasks", body).json["id"]
        if "trash" in path or "restore" in path:
            self.ask("PATCH", f"/api/tasks/{task}", {"status": "IN_PROGRESS"})
            self.ask("DELETE", f"/api/tasks/{task}")
        return str(task)

    def inner_example_of(self, example: str, path: str) -> str:
        """The id of what belongs to that."""
        if "members/" in path:
            return str(self.member(example).pk)
        if "invitations/" in path and "projects" in path:
            made = self.ask("POST", f"/api/projects/{example}/invitations", NEW_MEMBER)
            return str(made.json["id"])
        if "deliveries/" in path:
            made = self.ask("POST", f"/api/webhooks/{example}/test", None)
            Delivery.objects.filter(pk=made.json["id"]).update(status="DELIVERED")
            return str(made.json["id"])
        if "comments/" not in path:
            return ""
        made = self.ask("POST", f"/api/tasks/{example}/comments", NEW_COMMENT)
        return str(made.json["id"])

    def project(self, path: str) -> str:
        project = self.ask("POST", "/api/projects", NEW_PROJECT).json["id"]
        if "trash" in path or "restore" in path:
            self.ask("DELETE", f"/api/projects/{project}")
        return str(project)

    def personal_token(self) -> Any:
        body = {"name": "CI", "scopes": ["tasks:read"]}
        return self.ask("POST", "/api/auth/tokens", body).json

    def member(self, project: str) -> User:
        user = make_user(uuid4().hex)
        share(Project.objects.get(pk=project), user)
        return user

    def invitation_token(self) -> str:
        """To a project of somebody else."""
        owner = make_user(uuid4().hex)
        project, email = make_project(owner), f"{uuid4().hex}@example.com"
        return invite(project.pk, email, Role.EDITOR, author(owner))[1]

    def other_session(self) -> str:
        self.server.ask(login_request(examples.EMAIL, examples.PASSWORD))
        items = self.ask("GET", "/api/auth/sessions").json["items"]
        return next(str(each["id"]) for each in items if not each["current"])

    def ask(self, method: str, path: str, body: Any = None) -> Answer:
        token = None if path == "/api/auth/register" else self.tokens.access
        answer = self.server.ask(request(method, path, body, token=token))
        assert answer.status < 300, answer.body
        return answer


class WorldServer(HTTPServer):
    """Answers the collection's script, in this thread: Django's connections are its."""

    timeout = 0.1

    def __init__(self, world: World) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.world = world

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/"


class Handler(BaseHTTPRequestHandler):
    server: WorldServer

    def do_POST(self) -> None:
        length = int(self.headers["Content-Length"])
        method, path = self.rfile.read(length).decode().split(" ")
        answer = json.dumps(self.server.world.prepare(method, path)).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args: Any) -> None:
        """It would go to the test's output."""
