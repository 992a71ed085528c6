from django.contrib.sessions.backends import db


class SessionStore(db.SessionStore):
    """Django's database sessions; ignores a key that cannot be looked up."""

    def __init__(self, session_key: str | None = None) -> None:
        # A quoted cookie may contain NUL, which PostgreSQL rejects.
        super().__init__(None if "\0" in (session_key or "") else session_key)
