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


class Role(models.IntegerChoices):
    """What somebody may do in a project; each role may do what those below it may.

    An OWNER is no member: the project is in that account's space.
    """

    VIEWER = 1
    EDITOR = 2
    MANAGER = 3
    OWNER = 4
