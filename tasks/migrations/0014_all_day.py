"""Tasks that are due on a whole day of a time zone."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("tasks", "0013_webhooks")]

    operations = [
        migrations.AddField(
            "task", "is_all_day", models.BooleanField(db_default=False, default=False)
        ),
        migrations.AddField(
            "task",
            "time_zone",
            models.CharField(blank=True, max_length=64, null=True),
        ),
        migrations.AddField(
            "task",
            "day_ends_at",
            models.DateTimeField(blank=True, editable=False, null=True),
        ),
        migrations.AddField(
            "task",
            "due_local",
            models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
