"""What following changes needs: tombstones, and what tells where a change belongs.

New columns are null or have a default in the database, so no row is rewritten, and the
previous release goes on writing tasks. It knows none of the other tables.
"""

from django.db import migrations, models
from django.db.models import Q


class Migration(migrations.Migration):
    dependencies = [("tasks", "0013_webhooks")]

    operations = [
        migrations.CreateModel(
            name="Tombstone",
            fields=[
                (
                    "id",
                    models.BigAutoField(
                        auto_created=True,
                        primary_key=True,
                        serialize=False,
                        verbose_name="ID",
                    ),
                ),
                ("owner_id", models.UUIDField(null=True)),
                ("project_id", models.UUIDField(null=True)),
                (
                    "kind",
                    models.SmallIntegerField(
                        choices=[
                            (1, "Project"),
                            (2, "Member"),
                            (3, "Label"),
                            (4, "Task"),
                            (5, "Comment"),
                        ]
                    ),
                ),
                ("object_id", models.UUIDField()),
                ("revision", models.BigIntegerField()),
                ("created_at", models.DateTimeField(db_index=True)),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["owner_id", "revision", "object_id"],
                        condition=Q(owner_id__isnull=False),
                        name="tombstone_of_space",
                    ),
                    models.Index(
                        fields=["project_id", "revision", "object_id"],
                        condition=Q(project_id__isnull=False),
                        name="tombstone_of_project",
                    ),
                ],
            },
        ),
        migrations.AddField(
            "comment", "owner_id", models.UUIDField(editable=False, null=True)
        ),
        migrations.AddField(
            "comment", "project_id", models.UUIDField(editable=False, null=True)
        ),
        migrations.AddField(
            "membership", "owner_id", models.UUIDField(editable=False, null=True)
        ),
        migrations.AddField(
            "project",
            "restored_revision",
            models.BigIntegerField(editable=False, null=True),
        ),
        migrations.AddField(
            "task",
            "depth",
            models.SmallIntegerField(db_default=0, default=0, editable=False),
        ),
    ]
