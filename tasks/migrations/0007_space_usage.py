"""What accounts store, counted while there are quotas."""

import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [
        ("tasks", "0006_folded_text"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            "SpaceUsage",
            [
                (
                    "user",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("tasks", models.PositiveBigIntegerField()),
                ("octets", models.PositiveBigIntegerField()),
                ("revision", models.PositiveBigIntegerField()),
                ("counted_at", models.DateTimeField()),
            ],
        ),
    ]
