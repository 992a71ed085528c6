"""Tasks that recur: the rule, and which tasks are one series."""

from django.db import migrations, models


def column(name, field):
    return migrations.AddField("task", name, field)


def task_id():
    return models.UUIDField(blank=True, editable=False, null=True)


class Migration(migrations.Migration):
    dependencies = [("tasks", "0015_all_day_index")]

    operations = [
        column("recurrence", models.TextField(blank=True, editable=False, null=True)),
        column("series_id", task_id()),
        column("next_task_id", task_id()),
        column("previous_task_id", task_id()),
    ]
