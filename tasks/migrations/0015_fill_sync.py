"""Fills the columns of 0014 for rows of unreleased versions: the last release has none.

On PostgreSQL triggers do for the previous release what tasks.operations does: comments
of a task that it restores are written anew, and a task that it destroys leaves a
tombstone (4 is the kind). They can be dropped with the next release.
"""

from django.db import migrations
from django.db.models import F, OuterRef, Subquery

BATCH = 2000
FUNCTIONS = """
CREATE OR REPLACE FUNCTION tasks_comments_of_task() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    UPDATE tasks_comment SET revision = NEW.revision
    WHERE task_id = NEW.id AND revision < NEW.revision;
    RETURN NULL;
END
$function$;
CREATE OR REPLACE FUNCTION tasks_tombstones_of_tasks() RETURNS trigger
LANGUAGE plpgsql AS $function$
BEGIN
    INSERT INTO tasks_tombstone
        (owner_id, project_id, kind, object_id, revision, created_at)
    SELECT gone.user_id, gone.project_id, 4, gone.id, owner.revision, now()
    FROM gone JOIN accounts_user owner ON owner.id = gone.user_id
    WHERE owner.erased_at IS NULL AND NOT EXISTS (
        SELECT FROM tasks_tombstone known
        WHERE known.owner_id = gone.user_id AND known.revision = owner.revision
            AND known.object_id = gone.id
    );
    RETURN NULL;
END
$function$;
CREATE OR REPLACE TRIGGER comments_of_task AFTER UPDATE OF deleted_at ON tasks_task
    FOR EACH ROW WHEN (NEW.deleted_at IS NULL AND OLD.deleted_at IS NOT NULL)
    EXECUTE FUNCTION tasks_comments_of_task();
CREATE OR REPLACE TRIGGER tombstones_of_tasks AFTER DELETE ON tasks_task
    REFERENCING OLD TABLE AS gone
    FOR EACH STATEMENT EXECUTE FUNCTION tasks_tombstones_of_tasks();
"""
DROP = """
DROP TRIGGER IF EXISTS tombstones_of_tasks ON tasks_task;
DROP TRIGGER IF EXISTS comments_of_task ON tasks_task;
DROP FUNCTION IF EXISTS tasks_tombstones_of_tasks(), tasks_comments_of_task();
"""


def forward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(FUNCTIONS)
    task, project = apps.get_model("tasks", "Task"), apps.get_model("tasks", "Project")
    of_task = task.objects.filter(pk=OuterRef("task_id"))
    fill(
        apps.get_model("tasks", "Comment").objects.filter(owner_id=None),
        owner_id=Subquery(of_task.values("user_id")),
        project_id=Subquery(of_task.values("project_id")),
    )
    of_project = project.objects.filter(pk=OuterRef("project_id"))
    memberships = apps.get_model("tasks", "Membership").objects
    owner_id = Subquery(of_project.values("owner_id"))
    fill(memberships.filter(owner_id=None), owner_id=owner_id)
    parents = task.objects.filter(pk=OuterRef("parent_id"))
    # Until each is below its parent.
    fill(
        task.objects.filter(depth__lte=F("parent__depth")),
        depth=Subquery(parents.values("depth")) + 1,
    )


def fill(rows, **values):
    """Each batch is a transaction of its own, and can be repeated."""
    while pks := list(rows.values_list("pk", flat=True)[:BATCH]):
        rows.model.objects.filter(pk__in=pks).update(**values)


def backward(apps, schema_editor):
    if schema_editor.connection.vendor == "postgresql":
        schema_editor.execute(DROP)


class Migration(migrations.Migration):
    atomic = False  # one transaction for each batch

    dependencies = [("tasks", "0014_sync")]
    operations = [migrations.RunPython(forward, backward)]
