"""Whether a webhook gets events of a space; it has a default, so no row is written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0011_personal_tokens")]

    operations = [
        migrations.AddField(
            "user",
            "has_webhooks",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
