"""Where the time of a request goes: CPU microseconds of each part, in one process.

    python -m benchmarks.breakdown [ROUNDS]

Needs DATABASE_URL and REDIS_URL of a database that `manage.py seed` has filled. Prints
the median of the rounds; each part does what a request does, alone.
"""

import io
import json
import os
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
output = sys.stdout
sys.stdout = Path(os.devnull).open("w")  # noqa: SIM115  # the log's lines

from taskapi.http import worker_slots  # noqa: E402

worker_slots.prepare()

import django  # noqa: E402

django.setup(set_prefix=False)

from django.http import HttpResponse  # noqa: E402
from rest_framework.renderers import JSONRenderer  # noqa: E402

from accounts import rate_limits  # noqa: E402
from accounts.auth.jwt import AccessToken  # noqa: E402
from accounts.auth.principal import get_principal  # noqa: E402
from taskapi.http import metrics, middleware  # noqa: E402
from taskapi.wsgi import Handler, Request, application  # noqa: E402
from tasks.fields import get_values, task_to_dict  # noqa: E402
from tasks.models import Task  # noqa: E402
from tasks.queries.list import get_row  # noqa: E402

REPEATS = 200


def ask(method: str, path: str, token: str = "", body: bytes = b"") -> dict[str, Any]:
    path, _, query = path.partition("?")
    return {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": query,
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        "HTTP_AUTHORIZATION": f"Bearer {token}",
        "HTTP_HOST": "localhost",
        "SERVER_NAME": "localhost",
        "SERVER_PORT": "8000",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "REMOTE_ADDR": "127.0.0.1",
        "wsgi.url_scheme": "http",
        "wsgi.input": io.BytesIO(body),
        "wsgi.errors": sys.stderr,
    }


def call(*asked: Any, through: Handler = application) -> bytes:
    response: Any = through(ask(*asked), lambda *answer: None)
    body = b"".join(response)
    response.close()
    return body


def cost(part: Callable[[], Any], rounds: int) -> float:
    """CPU microseconds of one call."""
    part()
    times = []
    for _ in range(rounds):
        started = time.process_time()
        for _ in range(REPEATS):
            part()
        times.append((time.process_time() - started) / REPEATS * 1e6)
    return statistics.median(times)


def parts() -> dict[str, Callable[[], Any]]:
    login = {"email": "bench@example.com", "password": "pass1234!"}
    raw = call("POST", "/api/auth/login", "", json.dumps(login).encode())
    token = json.loads(raw)["accessToken"]
    claims = AccessToken.decode(token)
    tasks = list(Task.objects.filter(user_id=claims.user_id).live()[:20])
    one, page = tasks[0], [task_to_dict(get_values(task)) for task in tasks]
    path = f"/api/tasks/{one.pk}"
    created = json.dumps({"title": "Bench task", "priority": "HIGH"}).encode()
    request = Request(ask("GET", path, token))
    request.resolver_match = None
    bare = Handler()
    bare._middleware_chain = bare._get_response

    principal = get_principal(claims)

    return {
        "whole: GET /livez": lambda: call("GET", "/livez"),
        "whole: list of 20, cached": lambda: call("GET", "/api/tasks", token),
        "whole: one task": lambda: call("GET", path, token),
        "whole: create": lambda: call("POST", "/api/tasks", token, created),
        "Django: request, route, view, response": lambda: call(
            "GET", "/livez", through=bare
        ),
        "headers of every response": lambda: middleware.add_headers(
            request, HttpResponse(), "id"
        ),
        "log line": lambda: middleware.log_request(request, HttpResponse(), 0.001),
        "metrics": lambda: metrics.count(request, HttpResponse(), 0.001),
        "JWT, first time": lambda: AccessToken(cast(Any, token)),
        "JWT, verified before": lambda: AccessToken.decode(token),
        "rate limit, one Redis command": lambda: rate_limits.increment(
            "user", str(claims.user_id)
        ),
        "session and user, one statement": lambda: get_principal(claims),
        "task, one statement": lambda: get_row(principal, one.pk),
        "20 tasks to dictionaries": lambda: [
            task_to_dict(get_values(task)) for task in tasks
        ],
        "20 tasks to JSON": lambda: JSONRenderer().render(page),
    }


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 15
    for name, part in parts().items():
        print(f"{name:40}{cost(part, rounds):8.1f}", file=output, flush=True)


main()
