"""Users, their sessions and tokens; every rule about who may still act lives here."""

from accounts.models.admin_sign_ins import AdminSignIn
from accounts.models.personal_tokens import PersonalToken, PersonalTokenQuerySet
from accounts.models.sessions import RevocationReason, Session, SessionQuerySet
from accounts.models.users import Role, User, UserManager, normalise

__all__ = [
    "AdminSignIn",
    "PersonalToken",
    "PersonalTokenQuerySet",
    "RevocationReason",
    "Role",
    "Session",
    "SessionQuerySet",
    "User",
    "UserManager",
    "normalise",
]
