"""How many bytes of responses to Idempotency-Keys are stored for a user."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0005_erased_index")]

    operations = [
        migrations.AddField(
            "user",
            "idempotency_bytes",
            models.PositiveBigIntegerField(db_default=0, default=0, editable=False),
        ),
        migrations.AddField(
            "user",
            "idempotency_since",
            models.DateTimeField(editable=False, null=True),
        ),
    ]
