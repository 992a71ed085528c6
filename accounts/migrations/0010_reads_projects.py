"""Whether a user's lists look at projects; it has a default, so no row is written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0009_administrators_index")]

    operations = [
        migrations.AddField(
            "user",
            "reads_projects",
            models.BooleanField(db_default=False, default=False, editable=False),
        ),
    ]
