"""When an account was erased; its rows are removed in batches afterwards."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0003_admin_indexes")]

    operations = [
        migrations.AddField(
            "user",
            "erased_at",
            models.DateTimeField(blank=True, editable=False, null=True),
        ),
    ]
