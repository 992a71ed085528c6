"""What a command says when the database does not answer, instead of a traceback."""

from django.db import DatabaseError, InterfaceError, OperationalError, ProgrammingError

from taskapi.management.hints import runnable

ERRORS = (DatabaseError, InterfaceError)
MISSING_TABLE = ("no such table", "does not exist")


def is_unavailable(error: Exception) -> bool:
    """Whether the cause is the database or its schema, and not the program."""
    return isinstance(error, OperationalError | InterfaceError | ProgrammingError)


def describe(error: Exception) -> str:
    """One line: what happened and, where it is known, what to do."""
    reason = str(error).strip().partition("\n")[0]
    if not reason.startswith("connection") and any(w in reason for w in MISSING_TABLE):
        migrate = runnable("migrate")
        return f"the database lacks a table ({reason}); run: {migrate}"
    if isinstance(error, ProgrammingError):
        return f"the database refused a statement: {reason}"
    return f"the database does not answer: {reason}"
