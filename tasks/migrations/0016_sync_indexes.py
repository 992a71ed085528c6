"""Indexes by which changes are found, built while the tables are in use."""

from django.db import migrations, models
from django.db.models import Q

LIVE, TRASHED = Q(deleted_at__isnull=True), Q(deleted_at__isnull=False)
RESTORED = Q(restored_revision__isnull=False)
# Model, name, fields and condition.
INDEXES = [
    ("task", "task_changes", ("user", "depth", "revision", "id"), LIVE),
    ("task", "task_changes_in", ("project", "depth", "revision", "id"), LIVE),
    ("task", "task_trashed", ("user", "revision", "id"), TRASHED),
    ("task", "task_trashed_in", ("project", "revision", "id"), TRASHED),
    ("project", "project_restored", ("owner", "restored_revision"), RESTORED),
    ("membership", "membership_changes", ("owner_id", "revision", "id"), None),
    ("membership", "membership_changes_in", ("project", "revision", "id"), None),
    ("comment", "comment_changes", ("owner_id", "revision", "id"), None),
    ("comment", "comment_changes_in", ("project_id", "revision", "id"), None),
]
MADE = [
    (model, models.Index(fields=[*fields], name=name, condition=condition))
    for model, name, fields, condition in INDEXES
]


def forward(apps, schema_editor):
    for model, index in MADE:
        if schema_editor.connection.vendor == "postgresql":
            # A build that was interrupted leaves an invalid index behind.
            schema_editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {index.name}")
            online = {"concurrently": True}
        else:
            online = {}
        schema_editor.add_index(apps.get_model("tasks", model), index, **online)


def backward(apps, schema_editor):
    for model, index in MADE:
        schema_editor.remove_index(apps.get_model("tasks", model), index)


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0015_fill_sync")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[migrations.AddIndex(*each) for each in MADE],
        ),
    ]
