from django.urls import path

from accounts import views
from taskapi.api import path_converters

__all__ = ["path_converters", "urlpatterns"]  # the former registers `id`

urlpatterns = [
    path("register", views.RegisterView.as_view()),
    path("login", views.LoginView.as_view()),
    path("refresh", views.RefreshView.as_view()),
    path("logout", views.LogoutView.as_view()),
    path("logout-all", views.LogoutAllView.as_view()),
    path("sessions", views.SessionListView.as_view()),
    path("sessions/<id:pk>", views.SessionView.as_view()),
    path("tokens", views.TokenListView.as_view()),
    path("tokens/current", views.CurrentTokenView.as_view()),
    path("tokens/<id:pk>", views.TokenView.as_view()),
    path("me", views.MeView.as_view()),
    path("me/export", views.ExportView.as_view()),
    path("me/erase", views.DeleteAccountView.as_view()),
    path("email", views.EmailChangeView.as_view()),
    path("email/confirm", views.EmailConfirmView.as_view()),
    path("password", views.PasswordChangeView.as_view()),
    path("password/forgot", views.PasswordForgotView.as_view()),
    path("password/reset", views.PasswordResetView.as_view()),
]
