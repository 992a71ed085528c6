from django.contrib import admin

from accounts.admin import personal_tokens, sessions, tokens
from accounts.admin.login import LimitedLoginForm
from accounts.admin.users import UserAdmin

admin.site.login_form = LimitedLoginForm

__all__ = ["UserAdmin", "personal_tokens", "sessions", "tokens"]
