"""The one way in which tasks and projects are written, one at a time or a hundred.

A list of operations is planned in memory, in order, while the owners' rows are locked;
then it is written together with the history and the owners' new revisions, or not at
all.
"""

from taskapi.api.errors import Conflict
from tasks.operations.changes import (
    Copy,
    Create,
    Delete,
    Import,
    Move,
    Operation,
    Restore,
    Skip,
    Update,
)
from tasks.operations.context import ActorContext
from tasks.operations.purge import empty_trash, purge
from tasks.operations.run import perform, perform_one, run
from tasks.operations.unit_of_work import OperationFailed, UnitOfWork

__all__ = [
    "ActorContext",
    "Conflict",
    "Copy",
    "Create",
    "Delete",
    "Import",
    "Move",
    "Operation",
    "OperationFailed",
    "Restore",
    "Skip",
    "UnitOfWork",
    "Update",
    "empty_trash",
    "perform",
    "perform_one",
    "purge",
    "run",
]
