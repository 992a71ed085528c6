from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's, in the database; takes no key that cannot be looked up there."""

    def __init__(self, session_key: str | None = None) -> None:
        # In quotes a cookie may hold NUL, which PostgreSQL refuses with an error.
        super().__init__(None if "\0" in (session_key or "") else session_key)
