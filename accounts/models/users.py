"""Users: how they are found, made and locked, and what ends their sessions."""

import unicodedata
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar, Self
from uuid import UUID, uuid4

from django.conf import settings
from django.contrib.auth.hashers import check_password, make_password
from django.contrib.auth.models import AbstractBaseUser, BaseUserManager
from django.db import connection, models, transaction
from django.db.models import F, Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.crypto import salted_hmac
from django.utils.module_loading import import_string

from accounts.auth import blacklist
from accounts.errors import LastAdministrator
from accounts.models.sessions import CLOCK_TOLERANCE, RevocationReason, Session
from taskapi.db.compiled import SQLFragment
from taskapi.db.text import ascii_only

models.EmailField.register_lookup(Lower)

# The ORM would take two statements to move a counter and to read it.
INCREMENT_REVISION = (
    "UPDATE {table} SET revision = revision + 1 WHERE id = %s AND erased_at IS NULL"
    " RETURNING revision, reads_projects, has_webhooks"
)
NO_EMAIL_CHANGE: dict[str, Any] = {
    "pending_email": None,
    "email_token_hash": None,
    "email_token_expires_at": None,
}
IS_ADMINISTRATING = Q(role="ADMIN", is_active=True)
TRACKED_FIELDS = {"name", "email", "password", "role", "is_active"}


class Role(models.TextChoices):
    USER = "USER"
    ADMIN = "ADMIN"


class UserManager(BaseUserManager["User"]):
    """All users but those that are erased, of whom rows may still be there."""

    def get_queryset(self) -> models.QuerySet["User"]:
        return super().get_queryset().filter(erased_at=None)

    def erased(self) -> models.QuerySet["User"]:
        """Whose rows housekeeping removes; nobody else may see them."""
        return User._base_manager.filter(erased_at__isnull=False)

    def without_erased(
        self, rows: models.QuerySet[Any], field: str = "user"
    ) -> models.QuerySet[Any]:
        """Rows of many users, without those whose `field` is a user who is erased."""
        # Usually nobody is, and the admin counts faster what is not filtered.
        erased = self.erased()
        return rows.exclude(**{f"{field}__in": erased}) if erased.exists() else rows

    def get_by_natural_key(self, email: str | None) -> "User":
        return self.get(email__lower=(email or "").lower())

    def create_user(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        user = self.model(email=email, **fields)
        user.set_password(password)
        user.save(using=self._db)
        return user

    def create_superuser(
        self, email: str, password: str | None = None, **fields: Any
    ) -> "User":
        return self.create_user(email, password, **fields, role=Role.ADMIN)

    def run_created_hooks(self, users: "Sequence[User]") -> None:
        """Call each function of settings.ACCOUNT_CREATED with users whose rows were
        just inserted, in the transaction that inserts them: if one fails, there is no
        account.

        `User.save` does it; only who inserts rows in bulk has to call it.
        """
        for path in settings.ACCOUNT_CREATED:
            import_string(path)(users)

    def get_for_update(self, pk: UUID | str) -> "User":
        """The one lock: whatever starts, renews or ends a session, or changes what its
        user owns, holds the user's row. Call inside a transaction; User.DoesNotExist.
        """
        # NO KEY: inserting a row that refers to the user need not wait for it.
        return self.select_for_update(no_key=True).get(pk=pk)

    def get_to_demote(self, pk: UUID | str) -> "User":
        """Lock and return a user who will not be an active administrator afterwards.

        Raises LastAdministrator if no other one is left, and User.DoesNotExist.
        """
        # Locks every administrator, in one order: two who demote each other at the same
        # time cannot deadlock, and the second sees what the first has written.
        rows = self.select_for_update(no_key=True).filter(IS_ADMINISTRATING | Q(pk=pk))
        locked = {str(user.pk): user for user in rows.order_by("pk")}
        user = locked.pop(str(pk), None)
        if user is None:
            raise self.model.DoesNotExist
        if user.is_administrating and not locked:
            raise LastAdministrator
        return user

    def increment_revision(self, pk: UUID | str) -> tuple[int, bool, bool]:
        """Count one change of what the user owns, holding the user's row until the
        transaction ends; User.DoesNotExist.

        Returns the new revision, `reads_projects` and `has_webhooks`.
        """
        with connection.cursor() as cursor:
            cursor.execute(*self.increment_revision_sql(pk))
            row = cursor.fetchone()
        if row is None:
            raise self.model.DoesNotExist
        return int(row[0]), bool(row[1]), bool(row[2])

    def increment_revision_sql(self, pk: UUID | str) -> SQLFragment:
        """The statement of `increment_revision`, to be part of another."""
        key = self.model._meta.pk.get_db_prep_value(pk, connection)
        return INCREMENT_REVISION.format(table=self.model._meta.db_table), [key]


class User(AbstractBaseUser):
    """Signs in by e-mail; role ADMIN opens Django admin, nothing in the API."""

    id = models.UUIDField(primary_key=True, default=uuid4, editable=False)
    name = models.CharField(max_length=100)
    email = models.EmailField(max_length=255, validators=[ascii_only])
    role = models.CharField(max_length=5, choices=Role, default=Role.USER)
    is_active = models.BooleanField(default=True)
    # Moves with every committed change of what the user owns, in the transaction that
    # changes it: list caches and list ETags hang on it.
    revision = models.PositiveBigIntegerField(default=0, editable=False)
    # Whether lists have to look at projects: some are shared with the user, or some of
    # the user's own are archived or in the trash. Written under the user's row.
    reads_projects = models.BooleanField(
        default=False, db_default=False, editable=False
    )
    # Whether a webhook gets events of what the user owns. Written under the user's row.
    has_webhooks = models.BooleanField(default=False, db_default=False, editable=False)
    # Moves whenever all sessions end; sessions of the admin hang on it.
    session_epoch = models.PositiveIntegerField(default=0, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)
    # From then on the account does not exist for anybody; see accounts.personal_data.
    erased_at = models.DateTimeField(null=True, blank=True, editable=False)
    # Of the stored responses; see taskapi.api.idempotency_allowance.
    idempotency_bytes = models.PositiveBigIntegerField(
        default=0, db_default=0, editable=False
    )
    idempotency_since = models.DateTimeField(null=True, editable=False)
    # The change that a mailed token confirms; see accounts.email_change.
    pending_email = models.EmailField(max_length=255, null=True, editable=False)
    email_token_hash = models.CharField(max_length=64, null=True, editable=False)
    email_token_expires_at = models.DateTimeField(null=True, editable=False)
    last_login = None
    # Of a principal (accounts.auth): the personal token that the request was sent with,
    # and the projects that this covers; None for a session, and for all projects.
    token_id: UUID | None = None
    project_ids: frozenset[UUID] | None = None
    loaded_fields: dict[str, Any]

    objects: ClassVar[UserManager] = UserManager()

    USERNAME_FIELD = "email"
    REQUIRED_FIELDS: ClassVar[list[str]] = ["name"]

    class Meta:
        indexes = [
            models.Index(
                fields=["erased_at"],
                name="user_erased",
                condition=Q(erased_at__isnull=False),
            ),
            models.Index(
                fields=["id"], name="user_administrating", condition=IS_ADMINISTRATING
            ),
        ]
        constraints = [
            models.UniqueConstraint(Lower("email"), name="user_email_unique"),
            models.CheckConstraint(
                condition=Q(role__in=Role.values), name="user_role_valid"
            ),
        ]

    def __str__(self) -> str:
        return self.email

    @classmethod
    def from_db(cls, *args: Any, **options: Any) -> Self:
        user = super().from_db(*args, **options)
        values = user.__dict__
        user.loaded_fields = {k: values[k] for k in TRACKED_FIELDS & values.keys()}
        return user

    def refresh_from_db(self, *args: Any, **options: Any) -> None:
        super().refresh_from_db(*args, **options)
        self.loaded_fields = self.tracked_fields()

    def tracked_fields(self) -> dict[str, Any]:
        """The loaded fields that a save may write."""
        return {
            name: self.__dict__[name] for name in TRACKED_FIELDS & self.__dict__.keys()
        }

    def save(self, *, keep_session: UUID | None = None, **options: Any) -> None:
        """Write what changed since it was read; a new password or standing ends all
        sessions but one.

        Whoever changes it: the API, the admin, a command. Nothing else is written: it
        may have moved meanwhile, as the revision does all the time.
        """
        if self._state.adding:
            with transaction.atomic():
                super().save(**options)
                User.objects.run_created_hooks([self])
        else:
            if options.get("update_fields") is None:
                options["update_fields"] = [*self.dirty_fields(), "updated_at"]
            reason = self.revocation_reason()
            with transaction.atomic():
                self.lock()
                super().save(**options)
                if reason:
                    now = timezone.now()
                    self.end_sessions(now=now, reason=reason, keep=keep_session)
        self.loaded_fields = self.tracked_fields()

    def lock(self) -> None:
        """Lock the rows that the save of what changed needs; LastAdministrator."""
        has_new_status = self.dirty_fields() & {"role", "is_active"}
        if has_new_status and not self.is_administrating:
            User.objects.get_to_demote(self.pk)
        else:
            User.objects.get_for_update(self.pk)

    def delete(self, *args: Any, **options: Any) -> tuple[int, dict[str, int]]:
        """Delete the row and all that refers to it; LastAdministrator."""
        with transaction.atomic():
            User.objects.get_to_demote(self.pk)
            return super().delete(*args, **options)

    def dirty_fields(self) -> set[str]:
        now = self.tracked_fields()
        return {name for name in now if now[name] != self.loaded_fields.get(name)}

    def revocation_reason(self) -> RevocationReason | None:
        changed = self.dirty_fields()
        if "password" in changed:
            return RevocationReason.PASSWORD
        return (
            RevocationReason.ACCOUNT_STATUS if changed & {"role", "is_active"} else None
        )

    def end_sessions(
        self,
        *,
        now: datetime,
        reason: RevocationReason,
        only: UUID | None = None,
        keep: UUID | None = None,
    ) -> int:
        """End live sessions: all, only one, or all but one. Returns how many.

        Where all end, the personal tokens do, too. The caller holds the user's row.
        """
        # What has just expired here may still be live for a replica that is behind.
        live = self.sessions.live(now - CLOCK_TOLERANCE)
        live = live.exclude(pk=keep) if keep else live
        ending = list(live.filter(pk=only) if only else live)
        ended = Session.objects.filter(pk__in=[session.pk for session in ending])
        ended.update(ended_at=now, end_reason=reason)
        if not only:
            epoch = {} if keep else {"session_epoch": F("session_epoch") + 1}
            myself = User.objects.filter(pk=self.pk)
            # Who stole a session or the password asked for the change, perhaps.
            myself.update(**epoch, **NO_EMAIL_CHANGE)
        if not (only or keep):
            self.personal_tokens.all().delete()
        blacklist.blacklist([session.current_jti for session in ending], now)
        return len(ending)

    @property
    def is_staff(self) -> bool:
        return self.role == Role.ADMIN

    @property
    def is_administrating(self) -> bool:
        """Whether the user may open the admin."""
        return self.is_active and self.is_staff

    @property
    def is_superuser(self) -> bool:
        return self.is_staff

    def has_perm(self, perm: str, obj: object = None) -> bool:
        return self.is_active and self.is_staff

    def has_perms(self, perms: list[str], obj: object = None) -> bool:
        return all(self.has_perm(perm, obj) for perm in perms)

    def has_module_perms(self, app_label: str) -> bool:
        return self.is_active and self.is_staff

    def erase(self, *, now: datetime) -> None:
        """Make the account unknown to everybody, and free its e-mail address.

        The caller has the user by `get_to_demote`.
        """
        sessions = self.sessions.filter(ended_at=None)
        sessions.update(ended_at=now, end_reason=RevocationReason.ACCOUNT_STATUS)
        self.personal_tokens.all().delete()
        User.objects.filter(pk=self.pk).update(
            erased_at=now,
            # RFC 2606: no such domain will ever exist.
            email=f"{self.pk.hex}@erased.invalid",
            name="",
            password=make_password(None),
            role=Role.USER,
            is_active=False,
            session_epoch=F("session_epoch") + 1,
            **NO_EMAIL_CHANGE,
        )

    def cancel_email_change(self) -> None:
        User.objects.filter(pk=self.pk).update(**NO_EMAIL_CHANGE)

    def rename(self, name: str | None) -> Self:
        """Take a new name; None keeps the old one."""
        if name is not None and name != self.name:
            self.name = name
            self.save(update_fields=["name", "updated_at"])
        return self

    def set_password(self, raw_password: str | None) -> None:
        super().set_password(raw_password and normalise(raw_password))

    def check_password(self, raw_password: str | None) -> bool:
        raw = raw_password and normalise(raw_password)
        return check_password(raw, self.password, self.upgrade_password)

    def upgrade_password(self, raw_password: str) -> None:
        """Store a newer hash of the same password, unless it was changed meanwhile."""
        newer = make_password(raw_password)
        same = User.objects.filter(pk=self.pk, password=self.password)
        if same.update(password=newer):
            self.password = self.loaded_fields["password"] = newer

    def _get_session_auth_hash(self, secret: str | None = None) -> str:
        # What signs out of the API everywhere signs out of the admin, too.
        proof = f"{self.password} {self.session_epoch}"
        salt = "accounts.User.session"
        return salted_hmac(salt, proof, secret=secret, algorithm="sha256").hexdigest()


def normalise(password: str) -> str:
    """NFC: a password is the same from every keyboard (NIST SP 800-63B 3.1.1.2)."""
    return unicodedata.normalize("NFC", password)
