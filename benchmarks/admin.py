"""How long each page of the admin takes, on a database that `seed` has filled.

    export DATABASE_URL=postgres://...
    python manage.py migrate
    python manage.py seed --users 49999 --tasks 20 --force
    python -m benchmarks.admin

Through Django's test client, so with every middleware and template, but without a
network. Adds sessions, tokens, projects, labels, comments, a long history and a log,
and an administrator of its own. Prints a table, and ends with status 1 when a page is
slower than it may be.
"""

import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import django
from dotenv import load_dotenv

load_dotenv()
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
django.setup()

from django.contrib.auth import get_user_model  # noqa: E402
from django.db import connection  # noqa: E402
from django.db.models import Q  # noqa: E402
from django.test import Client  # noqa: E402
from django.utils import timezone  # noqa: E402

from accounts.models import Session  # noqa: E402
from tasks.models import Comment, Label, Project, Task  # noqa: E402

LIMIT_MS, TIMES = 300, 11
BENCH = "bench@example.com"
ROOT = "admin-benchmark@example.com"
TASKS, USERS = "/admin/tasks/task/", "/admin/accounts/user/"
SESSIONS = "/admin/accounts/session/"
PROJECTS, LABELS = "/admin/tasks/project/", "/admin/tasks/label/"
COMMENTS, MEMBERS = "/admin/tasks/comment/", "/admin/tasks/membership/"
IN_INBOX = Q(project__is_inbox=True)
ISSUED = "/admin/token_blacklist/outstandingtoken/"
SPENT = "/admin/token_blacklist/blacklistedtoken/"
OWNER = "/admin/autocomplete/?app_label=tasks&model_name=task&field_name=user&term="

# Four sessions each, three tokens each session; two tokens in three are spent.
FILL = """
INSERT INTO accounts_session (id, user_id, user_agent, address, generation, rotated_at,
    created_at, last_used_at, idle_until, expires_at, ended_at, end_reason)
SELECT gen_random_uuid(), id, 'Mozilla/5.0', ('10.' || n || '.2.3')::inet, 3, t, t, t,
    t + interval '7 days', t + interval '30 days',
    CASE WHEN n % 2 = 0 THEN t END, CASE WHEN n % 2 = 0 THEN 'logout' ELSE '' END
FROM (SELECT id, n, now() - random() * interval '30 days' AS t
    FROM accounts_user, generate_series(1, 4) n) u;
INSERT INTO token_blacklist_outstandingtoken
    (user_id, jti, token, created_at, expires_at)
SELECT user_id, replace(gen_random_uuid()::text, '-', ''), '', created_at, idle_until
FROM accounts_session, generate_series(1, 3);
INSERT INTO token_blacklist_blacklistedtoken (token_id, blacklisted_at)
SELECT id, now() FROM token_blacklist_outstandingtoken WHERE id % 3 > 0;
INSERT INTO django_admin_log (action_time, object_id, object_repr, action_flag,
    change_message, content_type_id, user_id)
SELECT now(), t.id, 'task', 2, '[]', c.id, (SELECT id FROM accounts_user
    WHERE email = 'admin-benchmark@example.com')
FROM (SELECT id FROM tasks_task LIMIT 200000) t, django_content_type c
WHERE c.model = 'task';
INSERT INTO tasks_change (task_id, version, changed_at, request_id, fields)
SELECT t.id, n, now(), 'benchmark', '[]'
FROM (SELECT id, version FROM tasks_task ORDER BY created_at DESC LIMIT 1) t,
    generate_series(t.version + 1, 10000) n;
INSERT INTO accounts_session (id, user_id, user_agent, generation, rotated_at,
    created_at, last_used_at, idle_until, expires_at, end_reason)
SELECT gen_random_uuid(), id, 'curl', 1, now(), now(), now(), now() + interval '7 days',
    now() + interval '30 days', ''
FROM accounts_user, generate_series(1, 5000) WHERE email = 'bench@example.com';
"""
# 20,000 projects with five members each, tasks in 2,000 of them, 50,000 labels, 200,000
# comments; and one project of bench with all the members it may have.
FILL_PROJECTS = """
INSERT INTO tasks_project (id, owner_id, name, is_inbox, position, version, revision,
    created_at, updated_at)
SELECT gen_random_uuid(), id,
    (ARRAY['House', 'Garden', 'Quarterly invoice', 'Oslo'])[1 + n % 4] || ' ' || n,
    false, lpad(n::text, 6, '0'), 1, 0, t, t
FROM (SELECT id, row_number() OVER () AS n, now() - random() * interval '300 days' AS t
    FROM accounts_user LIMIT 20000) u;
INSERT INTO tasks_membership (project_id, user_id, role, joined_at, revision)
SELECT p.id, u.id, 1 + u.n % 3, now(), 0
FROM (SELECT id, owner_id, row_number() OVER () AS n FROM tasks_project
    WHERE NOT is_inbox) p
CROSS JOIN generate_series(1, 5) k
JOIN (SELECT id, row_number() OVER () AS n FROM accounts_user) u
    ON u.n = (p.n + k * 7919) % 50000 + 1 AND u.id <> p.owner_id;
UPDATE tasks_task SET project_id = p.id
FROM (SELECT id, owner_id FROM tasks_project WHERE NOT is_inbox LIMIT 2000) p
WHERE user_id = p.owner_id;
INSERT INTO tasks_label (id, owner_id, name, key, version, revision, created_at,
    updated_at)
SELECT gen_random_uuid(), id, 'Label ' || n, 'label ' || n, 1, 0, t, t
FROM (SELECT id, row_number() OVER () AS n, now() - random() * interval '300 days' AS t
    FROM accounts_user) u;
INSERT INTO tasks_tasklabel (task_id, label_id, task_created_at, project_id)
SELECT t.id, l.id, t.created_at, CASE WHEN deleted_at IS NULL THEN project_id END
FROM (SELECT id, user_id, created_at, project_id, deleted_at FROM tasks_task
    LIMIT 100000) t
JOIN tasks_label l ON l.owner_id = t.user_id;
INSERT INTO tasks_comment (id, task_id, author_id, text, version, revision, created_at,
    updated_at)
SELECT gen_random_uuid(), id, user_id, repeat('All done? ', (1 + n % 20)::int), 1, 0,
    t, t
FROM (SELECT id, user_id, row_number() OVER () AS n,
    now() - random() * interval '300 days' AS t FROM tasks_task LIMIT 195000) u;
INSERT INTO tasks_comment (id, task_id, author_id, text, version, revision, created_at,
    updated_at)
SELECT gen_random_uuid(), t.id, u.id, 'By bench', 1, 0, now(), now()
FROM (SELECT id FROM tasks_task LIMIT 5000) t, accounts_user u
WHERE u.email = 'bench@example.com';
INSERT INTO tasks_project (id, owner_id, name, is_inbox, position, version, revision,
    created_at, updated_at)
SELECT gen_random_uuid(), id, 'Benchmark', false, '1', 1, 0, now(), now()
FROM accounts_user WHERE email = 'bench@example.com';
INSERT INTO tasks_membership (project_id, user_id, role, joined_at, revision)
SELECT p.id, u.id, 2, now(), 0
FROM tasks_project p, (SELECT id FROM accounts_user
    WHERE email <> 'bench@example.com' LIMIT 200) u WHERE p.name = 'Benchmark';
INSERT INTO tasks_projectchange (project_id, changed_by, changed_at, request_id, fields)
SELECT p.id, u.id, now(), 'benchmark', jsonb_build_array(jsonb_build_object(
    'field', 'member', 'from', null, 'to',
    jsonb_build_object('userId', u.id, 'role', 'EDITOR')))
FROM tasks_project p, (SELECT id FROM accounts_user LIMIT 10000) u
WHERE p.name = 'Benchmark';
"""


def administrator() -> Any:
    """Made once, and with it whatever `seed` does not make."""
    users: Any = get_user_model()._default_manager
    if found := users.filter(email=ROOT).first():
        return found
    root = users.create_superuser(ROOT, None, name="Benchmark")
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
        for statement in (FILL + FILL_PROJECTS).split(";\n"):
            if statement.strip():
                cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")
        cursor.execute("RESET statement_timeout")
    return root


DAY = timezone.now().replace(hour=0, minute=0, second=0, microsecond=0)
TODAY = (
    f"?{{0}}__gte={DAY:%F}+00:00:00%2B00:00"
    f"&{{0}}__lt={DAY + timedelta(days=1):%F}+00:00:00%2B00:00"
)
OF_TASKS = {
    "list": "",
    "page 100": "?p=100",
    "last page": "?p=200",
    "oldest first": "?o=6",
    "oldest first, last page": "?o=6&p=200",
    "of one status": "?status__exact=DONE",
    "of one priority": "?priority__exact=4",
    "of two filters": "?status__exact=IN_PROGRESS&priority__exact=1",
    "in the trash": "?trash=yes",
    "not in the trash": "?trash=no",
    "without due date": "?due_at__isnull=True",
    "due today": TODAY.format("due_at"),
    "due today, one status, one priority": TODAY.format("due_at")
    + "&status__exact=IN_PROGRESS&priority__exact=4",
    "due today, in the trash": TODAY.format("due_at") + "&trash=yes",
    "made today": TODAY.format("created_at"),
    "made today, not done": TODAY.format("created_at") + "&status__exact=TODO",
    "search, three words": "?q=invoice+quarterly+ada",
    "search, 1 in 100": "?q=invoice",
    "search, everything": "?q=the",
    "search, nothing": "?q=xylophone",
    "search, a rare word": "?q=%2312345",
    "search, one letter": "?q=q",
    "search, two letters": "?q=zz",
    "search, signs": "?q=%25%25%25",
    "search, two words": "?q=invoice+oslo",
    "search, an owner": "?q=user77@example.com",
    "search, nobody": "?q=nobody@example.com",
    "search and filter": "?q=invoice&status__exact=TODO&priority__exact=4",
    "search and three filters": "?q=invoice&status__exact=IN_PROGRESS"
    "&priority__exact=1&trash=no",
    "search, everything, and three filters": "?q=the&status__exact=IN_PROGRESS"
    "&priority__exact=1&trash=no",
    "search in the trash": "?q=invoice&trash=yes",
}
OF_USERS = {
    "list": "",
    "last page": "?p=200",
    "oldest first": "?o=5",
    "administrators": "?role__exact=ADMIN",
    "inactive": "?is_active__exact=0",
    "made today": TODAY.format("created_at"),
    "search, one letter": "?q=q",
    "search, two letters": "?q=zq",
    "search, an address": "?q=user77@",
    "search, everything": "?q=example",
    "search, a name": "?q=quentin",
    "search, nothing": "?q=xylophone",
}
OF_SESSIONS = {
    "list": "",
    "last page": "?p=200",
    "soonest to expire": "?o=6",
    "logged out": "?end_reason=logout",
    "replayed": "?end_reason=replay",
    "not ended": "?end_reason=none",
    "expiring today": TODAY.format("expires_at"),
    "search, a user": "?q=user77@example.com",
    "search, an address": "?q=10.4.2.3",
    "search, nothing": "?q=xylophone",
}
OF_TOKENS = {
    "list": "",
    "last page": "?p=200",
    "search, a user": "?q=user77@example.com",
    "search, nothing": "?q=xylophone",
}
OF_PROJECTS = {
    "list": "",
    "last page": "?p=200",
    "oldest first": "?o=6",
    "in use": "?state=live",
    "archived": "?state=archived",
    "in the trash": "?state=trash",
    "inboxes": "?state=inbox",
    "search, a name": "?q=quarterly+7",
    "search, one letter": "?q=q",
    "search, everything": "?q=e",
    "search, nothing": "?q=xylophone",
    "search, an owner": "?q=user77@example.com",
    "search and filter": "?q=house&state=live",
}
OF_MEMBERS = {
    "list": "",
    "last page": "?p=200",
    "search, a member": "?q=user77@example.com",
}
OF_LABELS = {
    "list": "",
    "last page": "?p=200",
    "oldest first": "?o=4",
    "search, a name": "?q=label+4711",
    "search, one letter": "?q=b",
    "search, nothing": "?q=xylophone",
    "search, an owner": "?q=user77@example.com",
}
OF_COMMENTS = {
    "list": "",
    "last page": "?p=200",
    "oldest first": "?o=4",
    "search, an author": "?q=bench@example.com",
    "search, nobody": "?q=nobody@example.com",
}
OF_A_TASK = ("change", "history", "delete")
OF_A_USER = ("change", "password", "history", "delete")
TYPED = ("", "u", "us", "user", "user49", "ada", "nobody")


def pages() -> Iterator[tuple[str, str]]:
    """What it is, and its path."""
    users: Any = get_user_model()._default_manager
    bench, task = users.get(email=BENCH), Task.objects.latest("created_at")
    yield "index", "/admin/"
    yield from listed("tasks", TASKS, OF_TASKS)
    yield from listed("users", USERS, OF_USERS)
    yield from listed("sessions", SESSIONS, OF_SESSIONS)
    yield from listed("tokens issued", ISSUED, OF_TOKENS)
    yield from listed("tokens spent", SPENT, OF_TOKENS)
    yield from listed("projects", PROJECTS, OF_PROJECTS)
    yield from listed("members", MEMBERS, OF_MEMBERS)
    yield from listed("labels", LABELS, OF_LABELS)
    yield from listed("comments", COMMENTS, OF_COMMENTS)
    yield from ((f"task: {name}", f"{TASKS}{task.pk}/{name}/") for name in OF_A_TASK)
    yield from ((f"user: {name}", f"{USERS}{bench.pk}/{name}/") for name in OF_A_USER)
    project = Project.objects.get(owner=bench, name="Benchmark")
    yield from of_one("project", PROJECTS, project)
    yield from of_one("label", LABELS, Label.objects.get(owner=bench))
    yield from of_one("comment", COMMENTS, Comment.objects.latest("created_at"))
    yield "members: of a project", f"{MEMBERS}?project__id__exact={project.pk}"
    in_it = f"{TASKS}?project__id__exact={Task.objects.exclude(IN_INBOX)[0].project_id}"
    yield "tasks: of a project, from its page", f"{in_it}&trash=no"
    yield "tasks: of a project, its trash", f"{in_it}&trash=yes"
    yield "tasks: of a project, all", in_it
    owned = f"?user__id__exact={bench.pk}"
    yield "tasks: of a user, from its page", f"{TASKS}{owned}&trash=no"
    yield "tasks: its trash", f"{TASKS}{owned}&trash=yes"
    yield "sessions: of a user, from its page", f"{SESSIONS}{owned}"
    yield "session: view", f"{SESSIONS}{bench.sessions.first().pk}/change/"
    yield from (
        (f"{url.split('/')[-2]}: add", f"{url}add/")
        for url in (TASKS, USERS, PROJECTS, SPENT)
    )
    yield from ((f"task: owner, {term!r} typed", OWNER + term) for term in TYPED)


def of_one(what: str, url: str, row: Any) -> Iterator[tuple[str, str]]:
    yield from ((f"{what}: {name}", f"{url}{row.pk}/{name}/") for name in OF_A_TASK)


def listed(what: str, url: str, queries: dict[str, str]) -> Iterator[tuple[str, str]]:
    for name, query in queries.items():
        yield f"{what}: {name}", url + query


def measured(client: Client, url: str) -> list[float]:
    taken = []
    for _ in range(TIMES + 1):
        started = time.perf_counter()
        response = client.get(url)
        taken.append((time.perf_counter() - started) * 1000)
        if response.status_code != 200:
            raise SystemExit(f"{url}: {response.status_code} {response.headers}")
    return taken[1:]


def export(client: Client) -> str:
    """All tasks of one status as CSV: how long, and how much memory it took."""
    chosen = {"action": "export_csv", "select_across": "1"}
    chosen["_selected_action"] = str(Task.objects.latest("created_at").pk)
    before, started = peak_mib(), time.perf_counter()
    response: Any = client.post(f"{TASKS}?status__exact=IN_PROGRESS", chosen)
    lines = sum(chunk.count(b"\n") for chunk in response) - 1
    seconds = time.perf_counter() - started
    grown = peak_mib() - before
    return (
        f"Export of {lines:,} tasks: {seconds:.1f} s, {lines / seconds:,.0f} a second, "
        f"{grown:.0f} MiB more memory"
    )


def peak_mib() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def amounts() -> str:
    users = get_user_model()._default_manager.count()
    tasks, sessions = Task.objects.count(), Session.objects.count()
    return f"{tasks:,} tasks, {users:,} users, {sessions:,} sessions"


def main() -> int:
    client = Client(HTTP_HOST="localhost")
    client.force_login(administrator())
    print(f"{amounts()}; PostgreSQL {connection.pg_version // 10000}\n")
    print("| page | median ms | worst ms |\n|---|---:|---:|")
    slow = []
    for name, url in pages():
        taken = measured(client, url)
        median = statistics.median(taken)
        print(f"| {name} | {median:.0f} | {max(taken):.0f} |", flush=True)
        if median > LIMIT_MS:
            slow.append(name)
    print(f"\n{export(client)}")
    if slow:
        print(f"\nslower than {LIMIT_MS} ms: {', '.join(slow)}", file=sys.stderr)
    return bool(slow)


if __name__ == "__main__":
    sys.exit(main())
