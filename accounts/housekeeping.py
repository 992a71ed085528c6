"""The rows of this app that housekeeping deletes (see settings.HOUSEKEEPING)."""

from collections.abc import Callable, Iterator
from datetime import datetime
from functools import partial

from django.contrib.sessions.models import Session as AdminSession
from rest_framework_simplejwt.token_blacklist.models import OutstandingToken

from accounts import personal_data
from accounts.models import AdminSignIn, PersonalToken, Session
from taskapi.db.batches import delete_batch


def expired(now: datetime) -> Iterator[tuple[str, Callable[[int], int]]]:
    yield "rows of erased accounts", personal_data.erase_next_batch
    sessions = Session.objects.filter(expires_at__lt=now)
    yield "sessions", partial(delete_batch, sessions)
    personal_tokens = PersonalToken.objects.long_expired(now)
    yield "personal tokens", partial(delete_batch, personal_tokens)
    admin_sessions = AdminSession.objects.filter(expire_date__lt=now)
    yield "admin sessions", partial(delete_batch, admin_sessions)
    yield "admin sign-ins", partial(delete_batch, AdminSignIn.objects.expired(now))
    tokens = OutstandingToken.objects.filter(expires_at__lt=now)
    yield "tokens", partial(delete_batch, tokens)
