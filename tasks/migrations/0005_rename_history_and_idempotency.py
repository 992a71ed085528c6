"""Renames in Python alone, so that the previous release finds its tables; and one
constraint less, that would lock a user's row before an idempotency key is claimed.
"""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks", "0004_covering_indexes")]

    operations = [
        migrations.SeparateDatabaseAndState(
            state_operations=[
                migrations.RenameModel("Change", "TaskChange"),
                migrations.AlterModelTable("taskchange", "tasks_change"),
                migrations.RenameModel("StoredAnswer", "IdempotencyRecord"),
                migrations.AlterModelTable("idempotencyrecord", "tasks_storedanswer"),
            ]
        ),
        migrations.AlterField(
            "idempotencyrecord",
            "user",
            models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.CASCADE,
                to=settings.AUTH_USER_MODEL,
            ),
        ),
    ]
