"""The pending change of an e-mail address; nullable, so no row is written."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("accounts", "0007_admin_sign_ins")]

    operations = [
        migrations.AddField(
            "user",
            "pending_email",
            models.EmailField(
                editable=False,
                max_length=255,
                null=True,
            ),
        ),
        migrations.AddField(
            "user",
            "email_token_hash",
            models.CharField(editable=False, max_length=64, null=True),
        ),
        migrations.AddField(
            "user",
            "email_token_expires_at",
            models.DateTimeField(editable=False, null=True),
        ),
    ]
