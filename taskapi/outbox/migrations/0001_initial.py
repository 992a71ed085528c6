"""Messages that a worker delivers, and how many attempts had which outcome."""

from django.db import migrations, models


class Migration(migrations.Migration):
    initial = True

    dependencies = []

    operations = [
        migrations.CreateModel(
            name="OutboxCount",
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
                ("handler", models.CharField(max_length=50)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("retried", "Retried"),
                            ("dropped", "Dropped"),
                        ],
                        max_length=10,
                    ),
                ),
                ("attempts", models.BigIntegerField(default=0)),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("handler", "outcome"), name="outbox_count_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="OutboxMessage",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("handler", models.CharField(max_length=50)),
                ("channel", models.CharField(max_length=80)),
                ("ordering_key", models.CharField(max_length=80, null=True)),
                ("payload", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("next_attempt_at", models.DateTimeField()),
                ("attempts", models.PositiveIntegerField(default=0)),
                ("claimed_by", models.CharField(max_length=80, null=True)),
                ("finished_at", models.DateTimeField(null=True)),
                (
                    "outcome",
                    models.CharField(
                        choices=[
                            ("delivered", "Delivered"),
                            ("retried", "Retried"),
                            ("dropped", "Dropped"),
                        ],
                        max_length=10,
                        null=True,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("finished_at", None)),
                        fields=["channel", "next_attempt_at", "id"],
                        name="outbox_due",
                    ),
                    models.Index(
                        condition=models.Q(
                            ("finished_at", None), ("ordering_key__isnull", False)
                        ),
                        fields=["channel", "ordering_key", "id"],
                        name="outbox_order",
                    ),
                    models.Index(
                        condition=models.Q(("finished_at__isnull", False)),
                        fields=["finished_at"],
                        name="outbox_finished",
                    ),
                ],
            },
        ),
    ]
