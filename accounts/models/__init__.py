"""Users and their sessions; every rule about who may still act lives here."""

from accounts.models.admin_sign_ins import AdminSignIn
from accounts.models.sessions import RevocationReason, Session, SessionQuerySet
from accounts.models.users import Role, User, UserManager, normalise

__all__ = [
    "AdminSignIn",
    "RevocationReason",
    "Role",
    "Session",
    "SessionQuerySet",
    "User",
    "UserManager",
    "normalise",
]
