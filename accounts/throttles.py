"""The limits as DRF throttles: who is counted, against which limit."""

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.permissions import SAFE_METHODS
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import audit, rate_limits
from accounts.models import Session
from accounts.reading import Reading
from taskapi.api.addresses import client_address, network

if TYPE_CHECKING:  # views import their throttles
    from rest_framework.views import APIView


def count(
    request: HttpRequest, name: str, identity: str, *more: Any
) -> rate_limits.Usage:
    """Count the request and leave the usage on it, for the RateLimit headers; `more`
    is for `rate_limits.hit`.
    """
    usage = rate_limits.hit(name, identity, *more)
    request.rate_limits = [*getattr(request, "rate_limits", []), usage]  # type: ignore[attr-defined]
    if usage.is_over:
        audit.record("limit_hit", request, limit=name)
    return usage


def enforce(request: HttpRequest, name: str, identity: str) -> None:
    """Count the request; Throttled when it is one too many."""
    usage = count(request, name, identity)
    if usage.is_over:
        raise Throttled(usage.reset)


class WindowThrottle(BaseThrottle):
    """Counts a request against one limit; subclasses say whose."""

    limit: str
    reset: int | None = None

    def identity(self, request: Request) -> str:
        raise NotImplementedError

    def allow_request(self, request: Request, view: "APIView") -> bool:
        usage = count(request._request, self.limit, self.identity(request))
        self.reset = usage.reset
        return not usage.is_over

    def wait(self) -> float | None:
        return self.reset


class CallerThrottle(WindowThrottle):
    """Everything, per user; per address where nobody is signed in."""

    limit = "user"

    def identity(self, request: Request) -> str:
        return network(client_address(request._request))

    def allow_request(self, request: Request, view: "APIView") -> bool:
        if not request.user.pk:
            return super().allow_request(request, view)
        # Counted by `count_caller`, while the token was looked at.
        [usage] = request._request.rate_limits  # type: ignore[attr-defined]
        self.reset = usage.reset
        return not usage.is_over


def count_caller(
    request: Request, view: "APIView", user: str, reading: Reading | None
) -> rate_limits.Usage | None:
    """Count the request against its caller's limit, if the view's calls count so, and
    read the key of `reading`, or tell that its user may write, in the same round trip.

    Before the session is known to live: whoever holds a token of a dead one must not
    use up its user's limit, so that is taken back (`forgive`).
    """
    if CallerThrottle not in view.throttle_classes:
        return None
    may_write = request.method not in SAFE_METHODS
    return count(request._request, CallerThrottle.limit, user, reading, may_write)


def forgive(user: str, usage: rate_limits.Usage | None) -> None:
    if usage:
        rate_limits.take_back(usage, user)


class AddressThrottle(WindowThrottle):
    """Calls that take a password or make an account, per client address."""

    limit = "auth"

    def identity(self, request: Request) -> str:
        return network(client_address(request._request))


def limit_account(request: HttpRequest, email: str) -> None:
    """Count a login of an account, whatever address it comes from; Throttled.

    An address that the account has signed in from before stays outside this limit (its
    own still holds), so that strangers cannot lock the owner out.
    """
    usage = count(request, "login", account_key(email))
    if usage.is_over and not has_signed_in_from(client_address(request), email):
        raise Throttled(usage.reset)


def has_signed_in_from(address: str | None, email: str) -> bool:
    known = Session.objects.filter(user__email__lower=email.lower())
    addresses = known.values_list("address", flat=True).distinct()
    networks = {network(seen) for seen in addresses}
    return address is not None and network(address) in networks


def account_key(email: str) -> str:
    # Keyed: neither the counters nor the log are to tell addresses that were guessed.
    account = email.strip().lower()
    return salted_hmac("accounts.account", account, algorithm="sha256").hexdigest()
