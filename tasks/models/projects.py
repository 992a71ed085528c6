"""Projects, who is a member of them, and what is stored of their changes."""

from collections.abc import Mapping
from datetime import datetime
from functools import lru_cache
from hashlib import sha256
from typing import Any, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.db import models
from django.db.models import Q

from taskapi.db.text import BytewiseCharField
from tasks.models.choices import Role

LIVE_PROJECT = Q(deleted_at__isnull=True, destroyed_at__isnull=True)
# What a list leaves out unless it is asked for.
HIDDEN_PROJECT = Q(deleted_at__isnull=False) | Q(archived_at__isnull=False)


@lru_cache(maxsize=4096)
def inbox_id(owner_id: UUID) -> UUID:
    """The id of an account's inbox, which follows from the account's: a UUIDv8 of its
    SHA-256 (RFC 9562, sections 5.8 and 6.5).

    So a new task needs no look-up, and making a missing inbox twice makes one.
    Migration 0009 has the same in SQL.
    """
    digest = bytearray(sha256(owner_id.bytes + b"inbox").digest()[:16])
    digest[6] = digest[6] & 0x0F | 0x80
    digest[8] = digest[8] & 0x3F | 0x80
    return UUID(bytes=bytes(digest))


class ProjectQuerySet(models.QuerySet["Project"]):
    def live(self) -> Self:
        return self.filter(LIVE_PROJECT)

    def trashed(self) -> Self:
        return self.filter(deleted_at__isnull=False, destroyed_at__isnull=True)


class Project(models.Model):
    """A list of tasks in the space of one account, which others may be members of."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="projects",
        db_index=False,
    )
    name = models.CharField(max_length=100)
    description = models.TextField(null=True, blank=True, max_length=5000)
    color = models.CharField(max_length=7, null=True, blank=True)
    # Made with the account; never deleted, shared or archived.
    is_inbox = models.BooleanField(default=False, editable=False)
    position = BytewiseCharField(max_length=1000, editable=False)
    version = models.PositiveBigIntegerField(default=1, editable=False)
    # The owner's revision that wrote this row.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(editable=False)
    updated_at = models.DateTimeField(editable=False)
    archived_at = models.DateTimeField(null=True, blank=True, editable=False)
    deleted_at = models.DateTimeField(null=True, blank=True, editable=False)
    # The owner's revision that took it out of the trash: from then on, who follows
    # changes needs all of it again.
    restored_revision = models.BigIntegerField(null=True, editable=False)
    # Out of the trash for good; housekeeping removes the rows in batches.
    destroyed_at = models.DateTimeField(null=True, blank=True, editable=False)

    objects = ProjectQuerySet.as_manager()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["owner"], condition=Q(is_inbox=True), name="inbox_once"
            ),
            models.CheckConstraint(
                condition=~Q(name=""), name="project_name_not_empty"
            ),
        ]
        indexes = [
            models.Index(fields=["owner", "created_at", "id"], name="project_created"),
            # What every list of the owner's tasks leaves out.
            models.Index(
                fields=["owner"], condition=HIDDEN_PROJECT, name="project_hidden"
            ),
            models.Index(
                fields=["deleted_at"],
                condition=Q(deleted_at__isnull=False),
                name="project_trash_age",
            ),
            models.Index(fields=["owner", "revision"], name="project_revision"),
            models.Index(
                fields=["owner", "restored_revision"],
                condition=Q(restored_revision__isnull=False),
                name="project_restored",
            ),
        ]

    def __str__(self) -> str:
        return self.name

    def apply(self, values: Mapping[str, Any], now: datetime) -> dict[str, Any]:
        """Set the values that differ; returns the previous ones, and counts a version
        if there are any.
        """
        before = {k: old for k, v in values.items() if (old := getattr(self, k)) != v}
        for name in before:
            setattr(self, name, values[name])
        if before:
            self.version += 1
            self.updated_at = now
        return before


class Membership(models.Model):
    """The access of one account to a project of another."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="memberships", db_index=False
    )
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL,
        models.CASCADE,
        related_name="memberships",
        db_index=False,
    )
    role = models.PositiveSmallIntegerField(choices=Role)
    joined_at = models.DateTimeField()
    # The revision of the project's owner that wrote this row.
    revision = models.PositiveBigIntegerField(default=0)
    # The project's owner, who never changes: changes are found by it.
    owner_id = models.UUIDField(null=True, editable=False)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["project", "user"], name="membership_once"),
            models.CheckConstraint(
                condition=Q(role__in=[Role.VIEWER, Role.EDITOR, Role.MANAGER]),
                name="membership_role_valid",
            ),
        ]
        indexes = [
            models.Index(fields=["user", "project"], name="membership_of_user"),
            models.Index(
                fields=["owner_id", "revision", "id"], name="membership_changes"
            ),
            models.Index(
                fields=["project", "revision", "id"], name="membership_changes_in"
            ),
        ]

    def __str__(self) -> str:
        return f"{self.user} in {self.project}"


class FormerMember(models.Model):
    """Who once was a member: others still see the name beside what they wrote."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="former_members", db_index=False
    )
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.CASCADE)
    left_at = models.DateTimeField()

    class Meta:
        constraints = [
            models.UniqueConstraint(
                fields=["project", "user"], name="former_member_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.user_id} was in {self.project_id}"


class ProjectChange(models.Model):
    """One change of a project or of its members: who, when, from, to."""

    project = models.ForeignKey(
        Project, models.CASCADE, related_name="changes", db_index=False
    )
    # Not a foreign key: the history outlives the account of a former member.
    changed_by = models.UUIDField(null=True)
    changed_at = models.DateTimeField()
    request_id = models.CharField(max_length=64, blank=True)
    fields = models.JSONField()

    class Meta:
        indexes = [models.Index(fields=["project", "id"], name="project_change_order")]

    def __str__(self) -> str:
        return f"change {self.pk}"
