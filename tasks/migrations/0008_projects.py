"""Projects, members, labels and comments, and the columns of tasks that tell of them.

New columns are null or have a default in the database, so no row is rewritten, and the
previous release goes on inserting tasks.
"""

import uuid

import django.db.models.deletion
import django.db.models.functions.text
from django.conf import settings
from django.db import migrations, models
from django.db.models import Q

import taskapi.db.text

CASCADE = (
    "ALTER TABLE {table} ADD CONSTRAINT {name} FOREIGN KEY (task_id)"
    " REFERENCES tasks_task (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED"
)


def cascade(apps, schema_editor):
    """The previous release removes tasks without knowing of these tables."""
    if schema_editor.connection.vendor == "postgresql":
        for table, name in (
            ("tasks_comment", "comment_of_task"),
            ("tasks_tasklabel", "label_of_task"),
        ):
            schema_editor.execute(CASCADE.format(table=table, name=name))


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0007_space_usage"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.AddField(
            model_name="task",
            name="assignee_id",
            field=models.UUIDField(blank=True, null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="created_by_id",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="deleted_with_id",
            field=models.UUIDField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            model_name="task",
            name="labels",
            field=models.TextField(
                blank=True, db_default="", default="", editable=False
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="parent",
            field=models.ForeignKey(
                blank=True,
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="subtasks",
                to="tasks.task",
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="position",
            field=taskapi.db.text.BytewiseCharField(
                db_default="", default="", editable=False, max_length=1000
            ),
        ),
        migrations.AddField(
            model_name="task",
            name="project_version",
            field=models.PositiveIntegerField(db_default=1, default=1, editable=False),
        ),
        migrations.AddField(
            model_name="task",
            name="start_at",
            field=models.DateTimeField(blank=True, null=True),
        ),
        migrations.CreateModel(
            name="Comment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("author_id", models.UUIDField(blank=True, editable=False, null=True)),
                ("text", models.TextField(max_length=10000)),
                ("version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("revision", models.PositiveBigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                (
                    "task",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="comments",
                        to="tasks.task",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Label",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=50)),
                ("key", models.CharField(editable=False, max_length=200)),
                ("color", models.CharField(blank=True, max_length=7, null=True)),
                ("version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("revision", models.PositiveBigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="labels",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Project",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "description",
                    models.TextField(blank=True, max_length=5000, null=True),
                ),
                ("color", models.CharField(blank=True, max_length=7, null=True)),
                ("is_inbox", models.BooleanField(default=False, editable=False)),
                (
                    "position",
                    taskapi.db.text.BytewiseCharField(editable=False, max_length=1000),
                ),
                ("version", models.PositiveBigIntegerField(default=1, editable=False)),
                ("revision", models.PositiveBigIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(editable=False)),
                ("updated_at", models.DateTimeField(editable=False)),
                (
                    "archived_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "deleted_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "destroyed_at",
                    models.DateTimeField(blank=True, editable=False, null=True),
                ),
                (
                    "owner",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="projects",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Membership",
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
                (
                    "role",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Viewer"),
                            (2, "Editor"),
                            (3, "Manager"),
                            (4, "Owner"),
                        ]
                    ),
                ),
                ("joined_at", models.DateTimeField()),
                ("revision", models.PositiveBigIntegerField(default=0)),
                (
                    "user",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
                        to="tasks.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=uuid.uuid4,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("email", models.EmailField(max_length=255)),
                (
                    "role",
                    models.PositiveSmallIntegerField(
                        choices=[
                            (1, "Viewer"),
                            (2, "Editor"),
                            (3, "Manager"),
                            (4, "Owner"),
                        ]
                    ),
                ),
                ("token_hash", models.CharField(max_length=64, unique=True)),
                ("created_at", models.DateTimeField()),
                ("expires_at", models.DateTimeField(db_index=True)),
                ("closed_at", models.DateTimeField(null=True)),
                (
                    "invited_by",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="invitations",
                        to="tasks.project",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        django.db.models.functions.text.Lower("email"),
                        models.F("created_at"),
                        name="invitation_address",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RefusedAddress",
            fields=[
                (
                    "email_hash",
                    models.CharField(max_length=64, primary_key=True, serialize=False),
                ),
                ("created_at", models.DateTimeField()),
            ],
        ),
        migrations.CreateModel(
            name="FormerMember",
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
                ("left_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="former_members",
                        to="tasks.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ProjectChange",
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
                ("changed_by", models.UUIDField(null=True)),
                ("changed_at", models.DateTimeField()),
                ("request_id", models.CharField(blank=True, max_length=64)),
                ("fields", models.JSONField()),
                (
                    "project",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="changes",
                        to="tasks.project",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="TaskLabel",
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
                ("task_created_at", models.DateTimeField()),
                (
                    "task",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="task_labels",
                        to="tasks.task",
                    ),
                ),
                (
                    "label",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="task_labels",
                        to="tasks.label",
                    ),
                ),
                (
                    "project",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="+",
                        to="tasks.project",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="task",
            name="project",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="tasks",
                to="tasks.project",
            ),
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(
                fields=["task", "created_at", "id"], name="comment_order"
            ),
        ),
        migrations.AddIndex(
            model_name="comment",
            index=models.Index(fields=["author_id"], name="comment_author"),
        ),
        migrations.AddIndex(
            model_name="label",
            index=models.Index(fields=["owner", "revision"], name="label_revision"),
        ),
        migrations.AddConstraint(
            model_name="label",
            constraint=models.UniqueConstraint(
                fields=("owner", "key"), name="label_once"
            ),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(
                fields=["owner", "created_at", "id"], name="project_created"
            ),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(
                condition=Q(
                    ("deleted_at__isnull", False),
                    ("archived_at__isnull", False),
                    _connector="OR",
                ),
                fields=["owner"],
                name="project_hidden",
            ),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(
                condition=Q(("deleted_at__isnull", False)),
                fields=["deleted_at"],
                name="project_trash_age",
            ),
        ),
        migrations.AddIndex(
            model_name="project",
            index=models.Index(fields=["owner", "revision"], name="project_revision"),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.UniqueConstraint(
                condition=Q(("is_inbox", True)), fields=("owner",), name="inbox_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="project",
            constraint=models.CheckConstraint(
                condition=Q(("name", ""), _negated=True), name="project_name_not_empty"
            ),
        ),
        migrations.AddIndex(
            model_name="membership",
            index=models.Index(fields=["user", "project"], name="membership_of_user"),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.UniqueConstraint(
                fields=("project", "user"), name="membership_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="membership",
            constraint=models.CheckConstraint(
                condition=Q(("role__in", [1, 2, 3])), name="membership_role_valid"
            ),
        ),
        migrations.AddConstraint(
            model_name="formermember",
            constraint=models.UniqueConstraint(
                fields=("project", "user"), name="former_member_once"
            ),
        ),
        migrations.AddIndex(
            model_name="projectchange",
            index=models.Index(fields=["project", "id"], name="project_change_order"),
        ),
        migrations.AddIndex(
            model_name="tasklabel",
            index=models.Index(
                fields=["label", "task_created_at", "task"],
                include=["project"],
                condition=Q(("project__isnull", False)),
                name="task_of_label",
            ),
        ),
        migrations.AddIndex(
            model_name="tasklabel",
            index=models.Index(
                fields=["label", "project", "task_created_at", "task"],
                condition=Q(("project__isnull", False)),
                name="task_of_label_in_project",
            ),
        ),
        migrations.AddConstraint(
            model_name="tasklabel",
            constraint=models.UniqueConstraint(
                fields=("task", "label"), name="label_once_a_task"
            ),
        ),
        migrations.RunPython(cascade, migrations.RunPython.noop),
    ]
