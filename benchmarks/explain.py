"""How PostgreSQL answers each list at a million tasks: writes docs/queries.md.

    DATABASE_URL=postgres://... python -m benchmarks.explain

Runs each request through the real view on a database of its own, which it makes,
fills and drops, and explains the very statements that the request ran.
"""

import os
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

TARGET = Path(settings.BASE_DIR) / "docs" / "queries.md"
OTHERS, EACH, OWN = 1_000, 500, 500_000
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
    "/api/tasks?q=needle",
    "/api/tasks/stats",
    "/api/tasks/trash",
]
PEOPLE = """
INSERT INTO accounts_user (id, name, email, password, role, is_active, revision,
    session_epoch, created_at, updated_at)
SELECT gen_random_uuid(), 'user ' || n, 'user' || n || '@example.com', '!', 'USER',
    true, 0, 0, now(), now()
FROM generate_series(1, %s) n
"""
TASKS = """
INSERT INTO tasks_task (id, user_id, title, description, status, priority, due_at,
    completed_at, version, revision, created_at, updated_at, deleted_at)
SELECT gen_random_uuid(), u.id,
    CASE WHEN n %% 4999 = 0 THEN 'Find the needle ' ELSE 'Task number ' END || n,
    'A description of ordinary length, written to look like text, number ' || n,
    (ARRAY['TODO','IN_PROGRESS','DONE'])[1 + n %% 3], 1 + n %% 4,
    CASE WHEN n %% 4 > 0 THEN now() + (n %% 1000 - 500) * interval '1 day' END,
    CASE WHEN n %% 3 = 2 THEN now() END, 1, 0,
    now() - n * interval '1 second', now() - (n %% 7919) * interval '1 second',
    CASE WHEN n %% 100 = 0 THEN now() END
FROM accounts_user u, generate_series(1, %s) n WHERE u.email {whose}
"""


def fill() -> User:
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        cursor.execute(PEOPLE, [OTHERS])
        cursor.execute(TASKS.format(whose="<> 'user1@example.com'"), [EACH])
        cursor.execute(TASKS.format(whose="= 'user1@example.com'"), [OWN])
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("SET statement_timeout = '5s'")
    return User.objects.get(email="user1@example.com")


def signed_in(user: User) -> APIClient:
    about: dict[str, Any] = {"user_agent": "explain", "address": None}
    session = sessions.start(user, now=timezone.now(), **about)
    token = AccessToken.for_session(session)
    client = APIClient(HTTP_HOST="localhost")
    client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
    return client


def explained(client: APIClient, path: str, *options: str) -> str:
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
    return f"## `GET {shown}`\n" + "".join(plan(sql, *options) for sql in asked)


def plan(sql: str, *options: str) -> str:
    wanted = ", ".join(["ANALYZE", *(options or ("COSTS OFF", "BUFFERS OFF"))])
    with connection.cursor() as cursor:
        cursor.execute(f"EXPLAIN ({wanted}) {sql}")
        lines = "\n".join(row[0] for row in cursor.fetchall())
    return f"\n```sql\n{sql}\n```\n\n```\n{lines}\n```\n"


def main() -> None:
    from django.test.utils import setup_databases, teardown_databases

    databases = setup_databases(verbosity=0, interactive=False)
    try:
        client = signed_in(fill())
        with connection.cursor() as cursor:
            cursor.execute("SHOW server_version")
            version = cursor.fetchone()[0]
        head = (
            "# How the lists are answered\n\n"
            f"Made by `python -m benchmarks.explain` on PostgreSQL {version}: "
            f"{OTHERS * EACH + OWN - EACH:,} tasks, {OWN:,} of them the caller's, "
            "one in a hundred in the trash.\n\n"
        )
        TARGET.write_text(head + "\n".join(explained(client, p) for p in PATHS))
    finally:
        teardown_databases(databases, verbosity=0)


if __name__ == "__main__":
    main()
