"""How PostgreSQL answers each list at a million tasks: writes docs/queries.md.

    DATABASE_URL=postgres://... python -m benchmarks.explain

Runs each request through the real view on a database of its own, which it makes,
fills and drops, and explains the very statements that the request ran.
"""

import os
import re
from pathlib import Path
from typing import Any

import django
from django.conf import settings
from dotenv import load_dotenv

load_dotenv()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
django.setup()

from django.core.cache import cache  # noqa: E402
from django.db import connection  # noqa: E402
from django.test.utils import CaptureQueriesContext  # noqa: E402
from django.utils import timezone  # noqa: E402
from rest_framework.test import APIClient  # noqa: E402

from accounts.auth import sessions  # noqa: E402
from accounts.auth.jwt import AccessToken  # noqa: E402
from accounts.models import User  # noqa: E402
from benchmarks import spaces  # noqa: E402

TARGET = Path(settings.BASE_DIR) / "docs" / "queries.md"
TASKS = 1_000_000
MAX_LINES, MAX_SQL = 40, 2_500
DEEP = 15_000  # the page whose cursor is followed
PATHS = [
    "/api/tasks",
    "/api/tasks?page=100",
    "/api/tasks?cursor=",
    "/api/tasks?status=TODO",
    "/api/tasks?priority=URGENT",
    "/api/tasks?status=TODO,IN_PROGRESS&priority=HIGH",
    "/api/tasks?sort=dueDate",
    "/api/tasks?sort=-dueDate",
    "/api/tasks?sort=-dueDate&cursor=",
    "/api/tasks?sort=dueDate&cursor=",
    "/api/tasks?sort=title",
    "/api/tasks?sort=title&cursor=",
    "/api/tasks?sort=-priority",
    "/api/tasks?sort=-priority&cursor=",
    "/api/tasks?sort=-updatedAt",
    "/api/tasks?overdue=true",
    "/api/tasks?dueDate=none",
    "/api/tasks?dueAfter=2030-01-01T00:00:00Z&sort=dueDate",
    "/api/tasks?sort=position",
    "/api/tasks?sort=startDate",
    "/api/tasks?sort=-completedAt",
    "/api/tasks?label=label%207",
    "/api/tasks?label=label%207,label%208",
    "/api/tasks?assignee=me",
    "/api/tasks?parent={parent}",
    "/api/tasks?project={project}",
    "/api/tasks?q=needle",
    "/api/tasks/stats",
    "/api/tasks/trash",
]
OF_MEMBER = ["/api/tasks", "/api/tasks?cursor=", "/api/tasks?label=label%207"]


def signed_in(user: User) -> APIClient:
    about: dict[str, Any] = {"user_agent": "explain", "address": None}
    session = sessions.start(user, now=timezone.now(), **about)
    token = AccessToken.for_session(session)
    client = APIClient(HTTP_HOST="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def explained(client: APIClient, path: str, *options: str, about: str = "") -> str:
    if path.endswith("cursor="):
        deep = client.get(f"{path.removesuffix('cursor=')}page={DEEP}").json()
        path += deep["nextCursor"]
    cache.clear()
    with CaptureQueriesContext(
        connection,
    ) as queries:
        response = client.get(path)
    if response.status_code != 200:
        raise SystemExit(response.content.decode())
    asked = [q["sql"] for q in queries if "tasks_task" in q["sql"]]
    shown = path.split("cursor=")[0] + ("cursor=…" if "cursor=" in path else "")
    plans = "".join(plan(sql, *options) for sql in asked)
    return f"## `GET {shown}`{about}\n{plans}"


def plan(sql: str, *options: str) -> str:
    wanted = ", ".join(["ANALYZE", *(options or ("COSTS OFF", "BUFFERS OFF"))])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({wanted}) {sql}")
        lines = [row[0] for row in cursor.fetchall()]
    # The parts of a list of many projects are alike.
    text = "\n".join(lines[:MAX_LINES])
    more = len(lines) - MAX_LINES
    text += f"\n… and {more} lines like these" if more > 0 else ""
    return f"\n```sql\n{shortened(sql)}\n```\n\n```\n{text}\n```\n"


def shortened(sql: str) -> str:
    """Without the columns that each list reads."""
    sql = re.sub(r'SELECT "tasks_task"."id" AS "id",.*? FROM', "SELECT … FROM", sql)
    return sql if len(sql) <= MAX_SQL else f"{sql[:MAX_SQL]} …"


def places(client: APIClient) -> dict[str, str]:
    """The project and the parent of one of the newest tasks."""
    items = client.get("/api/tasks?limit=100").json()["items"]
    child = next(task for task in items if task["parentId"])
    return {"project": child["projectId"], "parent": child["parentId"]}


def main() -> None:
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        space = spaces.fill(TASKS)
        owner, member = [
            signed_in(User.objects.get(email=email))
            for email in (space.owner, space.member)
        ]
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
        head = (
            "# How the lists are answered\n\n"
            f"Made by `python -m benchmarks.explain` on PostgreSQL {version}: "
            f"{TASKS:,} tasks of one account, in its inbox and {spaces.SHARED} "
            "projects, one in a hundred in the trash.\n\n"
        )
        named = places(owner)
        plans = [explained(owner, path.format(**named)) for path in PATHS]
        about = f" of a member of {spaces.SHARED} projects"
        plans += [explained(member, path, about=about) for path in OF_MEMBER]
        TARGET.write_text(head + "\n".join(plans))
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
