"""Gives each account an inbox and each task a project, in batches, while the API runs.

On PostgreSQL triggers do the same for what the previous release goes on inserting.
They can be dropped with the next release.
"""

import hashlib
import uuid

from django.db import migrations
from django.utils import timezone

BATCH = 5000
INBOX = "Inbox"
FUNCTIONS = """
CREATE OR REPLACE FUNCTION tasks_inbox_id(owner uuid) RETURNS uuid
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
-- A UUIDv8 (RFC 9562): 128 and 63 are the bits of version and variant.
SELECT encode(set_byte(set_byte(digest, 6, (get_byte(digest, 6) & 15) | 128),
    8, (get_byte(digest, 8) & 63) | 128), 'hex')::uuid
FROM (SELECT substring(sha256(uuid_send(owner) || 'inbox'::bytea) FOR 16) AS digest) x
$function$;
CREATE OR REPLACE FUNCTION tasks_position(id uuid, created_at timestamptz) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
SELECT lpad(to_hex((extract(epoch FROM created_at) * 1000000)::bigint), 14, '0')
    || '000' || left(id::text, 3) || 'i'
$function$;
CREATE OR REPLACE FUNCTION tasks_make_inbox(owner uuid) RETURNS void
LANGUAGE sql AS $function$
INSERT INTO tasks_project (id, owner_id, name, is_inbox, position, version, revision,
    created_at, updated_at)
VALUES (tasks_inbox_id(owner), owner, 'Inbox', true, '', 1, 0, now(), now())
ON CONFLICT DO NOTHING
$function$;
CREATE OR REPLACE FUNCTION tasks_inbox_of_account() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM tasks_make_inbox(NEW.id);
    RETURN NULL;
END
$function$;
CREATE OR REPLACE FUNCTION tasks_project_of_task() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    PERFORM tasks_make_inbox(NEW.user_id);
    NEW.project_id := tasks_inbox_id(NEW.user_id);
    NEW.position := tasks_position(NEW.id, NEW.created_at);
    NEW.created_by_id := NEW.user_id;
    RETURN NEW;
END
$function$;
CREATE OR REPLACE FUNCTION tasks_labels_of_task() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    UPDATE tasks_tasklabel SET
        project_id = CASE WHEN NEW.deleted_at IS NULL THEN NEW.project_id END
    WHERE task_id = NEW.id;
    RETURN NULL;
END
$function$;
CREATE OR REPLACE TRIGGER inbox_of_account AFTER INSERT ON accounts_user
    FOR EACH ROW EXECUTE FUNCTION tasks_inbox_of_account();
CREATE OR REPLACE TRIGGER project_of_task BEFORE INSERT ON tasks_task
    FOR EACH ROW WHEN (NEW.project_id IS NULL)
    EXECUTE FUNCTION tasks_project_of_task();
CREATE OR REPLACE TRIGGER labels_of_task AFTER UPDATE OF deleted_at ON tasks_task
    FOR EACH ROW WHEN (NEW.labels <> ''
        AND (NEW.deleted_at IS NULL) <> (OLD.deleted_at IS NULL))
    EXECUTE FUNCTION tasks_labels_of_task();
"""
DROP = """
DROP TRIGGER IF EXISTS labels_of_task ON tasks_task;
DROP TRIGGER IF EXISTS project_of_task ON tasks_task;
DROP TRIGGER IF EXISTS inbox_of_account ON accounts_user;
DROP FUNCTION IF EXISTS tasks_labels_of_task(), tasks_project_of_task(),
    tasks_inbox_of_account(), tasks_make_inbox(uuid),
    tasks_position(uuid, timestamptz), tasks_inbox_id(uuid);
"""
# By the key, so that each batch starts where the last one ended.
NEXT = """
SELECT id FROM (SELECT id FROM {} WHERE id > %s ORDER BY id LIMIT %s) batch
ORDER BY id DESC LIMIT 1
"""
FILL = """
WITH batch AS (
    SELECT id FROM tasks_task WHERE id > %s AND id <= %s AND project_id IS NULL
    ORDER BY id FOR NO KEY UPDATE
)
UPDATE tasks_task t SET
    project_id = tasks_inbox_id(t.user_id),
    position = tasks_position(t.id, t.created_at),
    created_by_id = CASE WHEN c.id IS NULL THEN t.user_id ELSE c.changed_by END
FROM batch LEFT JOIN tasks_change c ON c.task_id = batch.id AND c.version = 1
WHERE t.id = batch.id
"""
MAKE = (
    "SELECT count(tasks_make_inbox(id)) FROM accounts_user WHERE id > %s AND id <= %s"
)


def forward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTIONS)
        in_batches(schema_editor.connection, "accounts_user", MAKE)
        in_batches(schema_editor.connection, "tasks_task", FILL)
    else:
        fill(apps)


def in_batches(connection, table, statement):
    """Each batch is a transaction of its own, and can be repeated."""
    start = uuid.UUID(int=0)
    with connection.cursor() as cursor:
        while True:
            cursor.execute(NEXT.format(table), [start, BATCH])
            if not (row := cursor.fetchone()):
                return
            cursor.execute(statement, [start, row[0]])
            start = row[0]


def fill(apps):
    """SQLite has no functions for it, and nobody else writes meanwhile."""
    project, task = apps.get_model("tasks", "Project"), apps.get_model("tasks", "Task")
    now = timezone.now()
    users = apps.get_model("accounts", "User")._base_manager
    for user_id in users.values_list("pk", flat=True).iterator():
        inbox = {"owner_id": user_id, "name": INBOX, "is_inbox": True}
        times = {"created_at": now, "updated_at": now}
        pk = inbox_id(user_id)
        project._base_manager.get_or_create(pk=pk, defaults=inbox | times)
        without = task._base_manager.filter(user_id=user_id, project=None)
        while batch := list(without.only("created_at")[:BATCH]):
            for each in batch:
                each.project_id, each.created_by_id = pk, user_id
                each.position = position(each.pk, each.created_at)
            columns = ["project", "created_by_id", "position"]
            task._base_manager.bulk_update(batch, columns, batch_size=200)


def inbox_id(owner_id):
    digest = bytearray(hashlib.sha256(owner_id.bytes + b"inbox").digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return uuid.UUID(bytes=bytes(digest))


def position(pk, created_at):
    microseconds = int(created_at.timestamp()) * 1_000_000 + created_at.microsecond
    return f"{microseconds:014x}000{pk.hex[:3]}i"


def backward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    atomic = False  # one transaction for each batch

    dependencies = [
        ("tasks", "0008_projects"),
        ("accounts", "0010_reads_projects"),
    ]
    operations = [migrations.RunPython(forward, backward)]
