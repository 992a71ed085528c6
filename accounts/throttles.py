"""The limits as DRF throttles: who is counted, against which limit."""

from typing import TYPE_CHECKING, Any

from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import salted_hmac
from rest_framework.exceptions import Throttled
from rest_framework.request import Request
from rest_framework.throttling import BaseThrottle

from accounts import audit, rate_limits
from accounts.models import AdminSignIn, Session
from taskapi.api.addresses import client_address, client_subnet

if TYPE_CHECKING:  # views import their throttles
    from rest_framework.views import APIView


def count(
    request: HttpRequest,
    name: str,
    identity: str,
    prefetch_key: str | None = None,
    shared: tuple[str, str] | None = None,
) -> rate_limits.RateLimitStatus:
    """Count the request and add the status to it, for the RateLimit headers.

    `shared` is a second limit that it counts against, and whose identity; the status is
    over if either is.
    """
    if shared:
        return count_both(request, (name, identity), shared, prefetch_key)
    django_request: Any = request
    status = rate_limits.increment(name, identity, prefetch_key)
    django_request.rate_limits = [*getattr(request, "rate_limits", []), status]
    if status.is_over:
        audit.record("limit_hit", request, limit=name)
    return status


def count_both(
    request: HttpRequest,
    first: tuple[str, str],
    second: tuple[str, str],
    prefetch_key: str | None,
) -> rate_limits.RateLimitStatus:
    django_request: Any = request
    statuses = rate_limits.increment_both(first, second, prefetch_key)
    django_request.rate_limits = [*getattr(request, "rate_limits", []), *statuses]
    over = [status for status in statuses if status.is_over]
    for status in over:
        audit.record("limit_hit", request, limit=status.name)
    reset = max(status.reset for status in over or statuses[:1])
    return statuses[0]._replace(is_over=bool(over), reset=reset)


def enforce(request: HttpRequest, name: str, identity: str) -> None:
    """Count the request; Throttled when it is one too many."""
    status = count(request, name, identity)
    if status.is_over:
        raise Throttled(status.reset)


class WindowThrottle(BaseThrottle):
    """Counts a request against one limit; subclasses define the identity."""

    limit: str
    # A second limit, and whose identity, where a request counts against two.
    shared: tuple[str, str] | None = None
    reset: int | None = None

    def identity(self, request: Request) -> str:
        return client_subnet(client_address(request._request))

    def allow_request(self, request: Request, view: "APIView") -> bool:
        # What the view is going to read from Redis, read in the same round trip.
        get_key = getattr(view, "get_prefetch_key", None)
        key = get_key(request) if get_key else None
        identity = self.identity(request)
        status = count(request._request, self.limit, identity, key, self.shared)
        self.reset = status.reset
        if key and not status.is_local:
            request._request.prefetched = {key: status.prefetched}  # type: ignore[attr-defined]
        return not status.is_over

    def wait(self) -> float | None:
        return self.reset


class UserRateThrottle(WindowThrottle):
    """All requests of a user's sessions; per address where there is no user. Those of
    each personal token, and then those of all tokens of a user together.
    """

    limit = "user"

    def identity(self, request: Request) -> str:
        user: Any = request.user
        if token_id := getattr(user, "token_id", None):
            self.shared = "tokens", str(user.pk)
            return str(token_id)
        return str(user.pk or super().identity(request))


class AddressRateThrottle(WindowThrottle):
    """Calls that take a password or create an account, per client address."""

    limit = "auth"


class CredentialRateThrottle(WindowThrottle):
    """Calls with a refresh token, per client address; wide enough for an office."""

    limit = "address"


def limit_address(request: HttpRequest) -> None:
    """Count a bad bearer token against the same limit; Throttled."""
    enforce(request, "address", client_subnet(client_address(request)))


def limit_token(request: HttpRequest, user: Any) -> None:
    """Count a request that its personal token may not make; Throttled."""
    shared = "tokens", str(user.pk)
    status = count(request, "user", str(user.token_id), shared=shared)
    if status.is_over:
        raise Throttled(status.reset)


def limit_account(request: HttpRequest, email: str) -> None:
    """Count a proof of an account's password, from any address; Throttled.

    An address that the account has signed in from, to the API or the admin, in the last
    SESSION_DAYS is exempt from this limit (but not from its own), so that strangers
    cannot lock the owner out.
    """
    status = count(request, "login", hashed_account(email))
    if status.is_over and not has_signed_in_from(client_address(request), email):
        raise Throttled(status.reset)


def has_signed_in_from(address: str | None, email: str) -> bool:
    now, account = timezone.now(), {"user__email__lower": email.strip().lower()}
    sessions = Session.objects.filter(**account, expires_at__gt=now)
    sign_ins = AdminSignIn.objects.recent(now).filter(**account)
    addresses = (
        each.values_list("address", flat=True) for each in (sessions, sign_ins)
    )
    networks = {client_subnet(seen) for seen in QuerySet.union(*addresses)}
    return address is not None and client_subnet(address) in networks


def hashed_account(email: str) -> str:
    # Keyed: neither counters nor logs reveal which addresses were guessed.
    account = email.strip().lower()
    return salted_hmac("accounts.account", account, algorithm="sha256").hexdigest()
