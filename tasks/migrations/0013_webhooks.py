"""Webhooks and what is delivered to them."""

import uuid

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0012_admin_project_indexes"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Webhook",
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
                ("url", models.CharField(max_length=2000)),
                ("events", models.PositiveBigIntegerField()),
                ("nonce", models.CharField(max_length=43)),
                ("previous_nonce", models.CharField(max_length=43, null=True)),
                ("previous_until", models.DateTimeField(null=True)),
                ("created_at", models.DateTimeField()),
                ("updated_at", models.DateTimeField()),
                ("disabled_at", models.DateTimeField(null=True)),
                ("disabled_reason", models.CharField(max_length=20, null=True)),
                (
                    "project",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to="tasks.project",
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="webhooks",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Delivery",
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
                ("event", models.CharField(max_length=30)),
                ("subject", models.UUIDField()),
                ("body", models.JSONField()),
                (
                    "status",
                    models.CharField(
                        choices=[
                            ("PENDING", "Pending"),
                            ("DELIVERED", "Delivered"),
                            ("FAILED", "Failed"),
                        ],
                        default="PENDING",
                        max_length=9,
                    ),
                ),
                ("attempts", models.PositiveBigIntegerField(default=0)),
                ("last_attempt_at", models.DateTimeField(null=True)),
                ("response_status", models.PositiveBigIntegerField(null=True)),
                ("response_excerpt", models.TextField(null=True)),
                ("created_at", models.DateTimeField(db_index=True)),
                (
                    "webhook",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="deliveries",
                        to="tasks.webhook",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        fields=["webhook", "-created_at", "-id"],
                        name="delivery_of_webhook",
                    )
                ],
            },
        ),
    ]
