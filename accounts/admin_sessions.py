"""The sessions of /admin, which Django stores without their user's id in a column."""

from django.contrib.auth import HASH_SESSION_KEY, SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils import timezone
from django.utils.crypto import constant_time_compare

from accounts.models import User


def count_of(user: User) -> int:
    """How many sessions of the admin the user has that are valid now.

    Reads all sessions, of which there are as many as administrators signed in today.
    """
    if not user.is_staff:
        return 0
    live = Session.objects.filter(expire_date__gt=timezone.now())
    return sum(is_of(user, session) for session in live.iterator())


def is_of(user: User, session: Session) -> bool:
    data = session.get_decoded()
    proof = data.get(HASH_SESSION_KEY, "")
    # A session of an earlier password or epoch is over already.
    is_valid = constant_time_compare(proof, user.get_session_auth_hash())
    return data.get(SESSION_KEY) == str(user.pk) and is_valid
