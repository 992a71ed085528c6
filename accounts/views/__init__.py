"""`/api/auth`: thin; what may be done is decided in models, sessions and passwords."""

from accounts.views.accounts import (
    DeleteAccountView,
    ExportView,
    MeView,
    RegisterView,
)
from accounts.views.email import EmailChangeView, EmailConfirmView
from accounts.views.passwords import (
    PasswordChangeView,
    PasswordForgotView,
    PasswordResetView,
)
from accounts.views.sessions import (
    LoginView,
    LogoutAllView,
    LogoutView,
    RefreshView,
    SessionListView,
    SessionView,
)
from accounts.views.tokens import CurrentTokenView, TokenListView, TokenView

__all__ = [
    "CurrentTokenView",
    "DeleteAccountView",
    "EmailChangeView",
    "EmailConfirmView",
    "ExportView",
    "LoginView",
    "LogoutAllView",
    "LogoutView",
    "MeView",
    "PasswordChangeView",
    "PasswordForgotView",
    "PasswordResetView",
    "RefreshView",
    "RegisterView",
    "SessionListView",
    "SessionView",
    "TokenListView",
    "TokenView",
]
