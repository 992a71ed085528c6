"""Users and their sessions; every rule about who may still act lives here."""

from accounts.models.sessions import EndReason, Session, SessionQuerySet
from accounts.models.users import Role, User, UserManager, ascii_only, normalise

__all__ = [
    "EndReason",
    "Role",
    "Session",
    "SessionQuerySet",
    "User",
    "UserManager",
    "ascii_only",
    "normalise",
]
