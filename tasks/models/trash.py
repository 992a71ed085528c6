from django.conf import settings
from django.db import models
from django.db.models import Exists, OuterRef


class EmptiedTrash(models.Model):
    """Up to which revision of its owner the trash of a space was emptied.

    What was deleted until then does not exist for anybody; housekeeping removes the
    rows. Not up to a time: the clocks of two servers differ, and a deletion that waited
    for the owner's row is older than it seems. A change of such a task would bring it
    back, so whoever changes tasks in the trash asks for those of `trashed()`.
    """

    # No constraint in the database: the owner's row is locked by whoever writes this.
    user = models.OneToOneField(
        settings.AUTH_USER_MODEL, models.CASCADE, primary_key=True, db_constraint=False
    )
    revision = models.PositiveBigIntegerField()
    emptied_at = models.DateTimeField()

    def __str__(self) -> str:
        return f"up to {self.revision}"

    @classmethod
    def of_task(cls) -> Exists:
        """Whether a task in the trash, of an outer query, was emptied out of it."""
        markers = cls.objects.filter(
            user_id=OuterRef("user_id"), revision__gte=OuterRef("revision")
        )
        return Exists(markers)
