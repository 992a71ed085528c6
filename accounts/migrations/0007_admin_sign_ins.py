"""From where administrators have signed in to /admin."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("accounts", "0006_idempotency_allowance"),
    ]

    operations = [
        migrations.CreateModel(
            name="AdminSignIn",
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
                ("address", models.GenericIPAddressField()),
                ("signed_in_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="admin_sign_ins",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["signed_in_at"], name="admin_sign_in_age")
                ],
                "constraints": [
                    models.UniqueConstraint(
                        fields=("user", "address"), name="admin_sign_in_once"
                    )
                ],
            },
        ),
    ]
