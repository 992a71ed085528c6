from datetime import datetime
from typing import Any, cast
from uuid import UUID

from django.core.exceptions import ValidationError as DjangoValidationError
from django.utils import timezone
from rest_framework import serializers

from accounts import passwords
from accounts.models import PersonalToken, Session, User
from taskapi.api.datetimes import RFC3339DateTimeField
from taskapi.api.fields import (
    SPACE,
    EmailField,
    IdField,
    StrictBooleanField,
    StrictCharField,
    StrictChoiceField,
)
from taskapi.api.scopes import Scope
from taskapi.api.serializers import StrictSerializer

MAX_PROJECTS = 50  # as many as a list can be filtered by


class PasswordField(StrictCharField):
    """A secret: never trimmed, never echoed, too short to keep the hasher busy."""

    default_error_messages = {"max_bytes": f"At most {passwords.MAX_BYTES} bytes."}

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(
            **{"write_only": True, "max_length": passwords.MAX_BYTES} | kwargs
        )

    def to_internal_value(self, data: Any) -> str:
        password = super().to_internal_value(data)
        if len(password.encode(errors="replace")) > passwords.MAX_BYTES:
            self.fail("max_bytes")
        return password


class NewPasswordField(PasswordField):
    # Neither blank nor all digits: spaces and digits alone need one beside the other.
    schema_pattern = rf"^[^\x00]*([^\x00\d{SPACE}]|\d[{SPACE}]|[{SPACE}]\d)[^\x00]*$"

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**{"min_length": 8} | kwargs)


class UserSerializer(serializers.ModelSerializer[User]):
    email = serializers.CharField(max_length=255, read_only=True)
    createdAt = serializers.DateTimeField(source="created_at", read_only=True)
    updatedAt = serializers.DateTimeField(source="updated_at", read_only=True)

    class Meta:
        model = User
        fields = ["id", "name", "email", "role", "createdAt", "updatedAt"]
        read_only_fields = fields


class NewPasswordSerializer(StrictSerializer):
    """Refuses a new password that breaks the policy, as one of `self.owner()`."""

    password_field = "newPassword"

    def owner(self, attrs: dict[str, Any]) -> User:
        raise NotImplementedError

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        try:
            passwords.check_policy(attrs[self.password_field], self.owner(attrs))
        except DjangoValidationError as error:
            raise serializers.ValidationError(
                {
                    self.password_field: serializers.as_serializer_error(error)[
                        "non_field_errors"
                    ]
                }
            ) from error
        return attrs


class RegisterSerializer(NewPasswordSerializer):
    name = StrictCharField(max_length=100)
    email = EmailField(max_length=255)
    password = NewPasswordField()
    invitationToken = StrictCharField(
        source="invitation_token", max_length=255, required=False
    )

    password_field = "password"

    def owner(self, attrs: dict[str, Any]) -> User:
        return User(name=attrs["name"], email=attrs["email"])


class LoginSerializer(StrictSerializer):
    email = StrictCharField(max_length=255, trim_whitespace=True)
    password = PasswordField()


class RefreshTokenSerializer(StrictSerializer):
    refreshToken = StrictCharField(max_length=4096)


class TokenPairSerializer(serializers.Serializer[Any]):
    user = UserSerializer()
    accessToken = serializers.CharField()
    refreshToken = serializers.CharField()


class ProfileSerializer(StrictSerializer):
    name = StrictCharField(max_length=100, required=False)

    read_only_echoes = frozenset({"id", "role", "createdAt", "updatedAt"})


class PasswordChangeSerializer(NewPasswordSerializer):
    currentPassword = PasswordField()
    newPassword = NewPasswordField()

    def owner(self, attrs: dict[str, Any]) -> User:
        return cast(User, self.context["view"].user)


class PasswordResetRequestSerializer(StrictSerializer):
    email = EmailField(max_length=255)


class PasswordResetConfirmSerializer(NewPasswordSerializer):
    token = StrictCharField(max_length=255)
    newPassword = NewPasswordField()

    def owner(self, attrs: dict[str, Any]) -> User:
        user = attrs["user"] = passwords.get_user_by_reset_token(attrs["token"])
        return user


class EmailChangeSerializer(StrictSerializer):
    password = PasswordField()
    newEmail = EmailField(max_length=255)


class EmailConfirmSerializer(StrictSerializer):
    token = StrictCharField(max_length=255)


class DeleteAccountSerializer(StrictSerializer):
    password = PasswordField()
    deleteShared = StrictBooleanField(required=False)


class PersonalTokenCreateSerializer(StrictSerializer):
    name = StrictCharField(max_length=100)
    scopes = serializers.ListField(
        child=StrictChoiceField([(each.value, each.value) for each in Scope]),
        min_length=1,
        max_length=len(Scope),
    )
    projectIds = serializers.ListField(
        child=IdField(),
        source="project_ids",
        min_length=1,
        max_length=MAX_PROJECTS,
        allow_null=True,
        required=False,
    )
    expiresAt = RFC3339DateTimeField(
        source="expires_at", allow_null=True, required=False
    )

    def validate_scopes(self, scopes: list[str]) -> list[str]:
        return [scope.value for scope in Scope if scope in scopes]

    def validate_projectIds(self, ids: list[UUID] | None) -> list[UUID] | None:
        return ids and list(dict.fromkeys(ids))

    def validate_expiresAt(self, expires_at: datetime | None) -> datetime | None:
        if expires_at and expires_at <= timezone.now():
            raise serializers.ValidationError("It is in the past.", "past")
        return expires_at


class PersonalTokenSerializer(serializers.ModelSerializer[PersonalToken]):
    scopes = serializers.ListField(child=serializers.CharField())
    projectIds = serializers.ListField(
        source="project_ids", child=serializers.UUIDField(), allow_null=True
    )
    createdAt = serializers.DateTimeField(source="created_at")
    lastUsedAt = serializers.DateTimeField(source="last_used_at", allow_null=True)
    expiresAt = serializers.DateTimeField(source="expires_at", allow_null=True)

    class Meta:
        model = PersonalToken
        fields = [
            *("id", "name", "scopes", "projectIds"),
            *("createdAt", "lastUsedAt", "expiresAt"),
        ]
        read_only_fields = fields


class NewPersonalTokenSerializer(PersonalTokenSerializer):
    token = serializers.CharField()

    class Meta(PersonalTokenSerializer.Meta):
        fields = [*PersonalTokenSerializer.Meta.fields, "token"]
        read_only_fields = fields


class PersonalTokenListSerializer(serializers.Serializer[Any]):
    items = PersonalTokenSerializer(many=True)


class SessionSerializer(serializers.ModelSerializer[Session]):
    userAgent = serializers.CharField(source="user_agent")
    ip = serializers.IPAddressField(source="address", allow_null=True)
    createdAt = serializers.DateTimeField(source="created_at")
    lastUsedAt = serializers.DateTimeField(source="last_used_at")
    expiresAt = serializers.DateTimeField(source="expires_at")
    current = serializers.SerializerMethodField()

    class Meta:
        model = Session
        fields = [
            "id",
            "userAgent",
            "ip",
            "createdAt",
            "lastUsedAt",
            "expiresAt",
            "current",
        ]
        read_only_fields = fields

    def get_current(self, session: Session) -> bool:
        return bool(session.pk == self.context["view"].session_id)


class SessionListSerializer(serializers.Serializer[Any]):
    items = SessionSerializer(many=True)
