from typing import Any, cast

from django import forms
from django.contrib.admin.forms import AdminAuthenticationForm
from django.http import HttpRequest
from django.utils import timezone
from rest_framework.exceptions import Throttled

from accounts import audit
from accounts.models import AdminSignIn
from accounts.throttles import enforce, hashed_account, limit_account
from taskapi.api.addresses import client_address, client_subnet


class LimitedLoginForm(AdminAuthenticationForm):
    """Applies the rate limits of the API, which the admin must not bypass."""

    def clean(self) -> dict[str, Any]:
        email = self.cleaned_data.get("username", "")
        account = hashed_account(email)
        if self.is_limited(email):
            raise forms.ValidationError("Too many attempts; try again later.")
        try:
            cleaned = super().clean()
        except forms.ValidationError:
            audit.record("login_failed", self.request, account=account, via="admin")
            raise
        if user := self.get_user():
            address = client_address(cast(HttpRequest, self.request))
            AdminSignIn.objects.record(user=user, address=address, now=timezone.now())
            audit.record("login_ok", self.request, user_id=user.pk, via="admin")
        return cleaned

    def is_limited(self, email: str) -> bool:
        request = cast(HttpRequest, self.request)
        try:
            enforce(request, "auth", client_subnet(client_address(request)))
            limit_account(request, email)
        except Throttled:
            return True
        return False
