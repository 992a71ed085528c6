from django.db import models


class Status(models.TextChoices):
    TODO = "TODO"
    IN_PROGRESS = "IN_PROGRESS"
    DONE = "DONE"


class Priority(models.IntegerChoices):
    """Numbers, so that sorting by priority sorts by urgency; the wire has the names."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    URGENT = 4
