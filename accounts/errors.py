"""What several modules of this app refuse with; each carries its status."""

from django.conf import settings
from rest_framework.exceptions import APIException, PermissionDenied


class EmailTaken(APIException):
    status_code = 409
    default_detail = "This e-mail address is already registered."
    default_code = "conflict"


class LastAdministrator(APIException):
    status_code = 409
    default_detail = (
        "This is the last active administrator; make another account one first."
    )
    default_code = "conflict"


class RegistrationClosed(PermissionDenied):
    default_detail = "Registration is closed; ask an administrator for an account."


class InvitationRequired(PermissionDenied):
    default_detail = "Registration needs an invitation; send its invitationToken."


class InvitationInvalid(PermissionDenied):
    default_detail = "The invitation is invalid, spent or expired."


class TooManyTokens(PermissionDenied):
    error_code = "QUOTA_EXCEEDED"

    def __init__(self) -> None:
        super().__init__(
            f"QUOTA_TOKENS: an account may have {settings.QUOTA_TOKENS:,} personal "
            "tokens, with those that have expired. Revoke some."
        )
