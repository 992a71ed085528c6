"""Who may do what: all operations on a shared project, by everybody."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from tests.contract.document import document
from tests.tasks.roles import PLANS, SECRET, STATES, SharedProject, dump, undone

# What comes of each request: `sees` (2xx, and something of the project in the answer),
# `none` (2xx, and nothing of it there), `ok` (2xx), or the status of the refusal.
# Who asks: a stranger, each role, and a manager who was removed (`left`); `a-`: while
# the project is archived, `t-`: while it is in the trash.
TABLE = """
operation                 other view  edit  mana  owner left  a-ed  a-own t-ed  t-own
listTasks                 none  sees  sees  sees  sees  none  none  none  none  none
listTasks:scope=shared    none  sees  sees  sees  none  none  none  none  none  none
listTasks:project=        403   sees  sees  sees  sees  403   sees  sees  400   400
listTasks:archived=all    none  sees  sees  sees  sees  none  sees  sees  none  none
listTasks:q=              none  sees  sees  sees  sees  none  sees  sees  none  none
createTask                403   403   ok    ok    ok    403   409   409   400   400
createTask:subtask        403   403   ok    ok    ok    403   409   409   400   400
createTask:inbox          ok    ok    ok    ok    ok    ok    ok    ok    ok    ok
getTask                   403   sees  sees  sees  sees  403   sees  sees  404   404
updateTask                403   403   ok    ok    ok    403   409   409   404   404
replaceTask               403   403   ok    ok    ok    403   409   409   404   404
deleteTask                403   403   ok    ok    ok    403   409   409   404   404
restoreTask               403   403   ok    ok    ok    403   409   409   404   ok
skipTask                  403   403   ok    ok    ok    403   409   409   404   404
listTaskOccurrences       403   ok    ok    ok    ok    403   ok    ok    404   404
moveTask                  403   403   ok    ok    ok    403   409   409   404   404
moveTask:into             403   403   409   409   ok    403   409   409   400   400
moveTask:away             403   403   409   409   ok    403   409   409   404   404
copyTask                  403   ok    ok    ok    ok    403   ok    ok    404   404
copyTask:into             403   403   ok    ok    ok    403   409   409   400   400
batchTasks                403   403   ok    ok    ok    403   409   409   404   404
exportTasks               none  sees  sees  sees  sees  none  none  none  none  none
exportTasks:project=      403   sees  sees  sees  sees  403   sees  sees  400   400
getTaskStats              none  sees  sees  sees  sees  none  none  none  none  none
listTaskHistory           403   sees  sees  sees  sees  403   sees  sees  404   404
listTaskHistory:trashed   403   sees  sees  sees  sees  403   sees  sees  404   sees
listComments              403   sees  sees  sees  sees  403   sees  sees  404   404
createComment             403   403   ok    ok    ok    403   409   409   404   404
getComment                403   sees  sees  sees  sees  403   sees  sees  404   404
updateComment             403   403   ok    403   403   403   409   409   404   404
deleteComment             403   403   ok    ok    ok    403   409   409   404   404
updateComment:last-words  403   403   403   403   403   403   409   409   404   404
deleteComment:last-words  403   403   403   ok    ok    403   409   409   404   404
listPeople                none  sees  sees  sees  sees  sees  sees  sees  sees  sees
listLabels                none  none  none  none  sees  none  none  sees  none  sees
listLabels:project=       403   sees  sees  sees  sees  403   sees  sees  400   400
createLabel               ok    ok    ok    ok    ok    ok    ok    ok    ok    ok
getLabel                  403   403   403   403   sees  403   403   sees  403   sees
updateLabel               403   403   403   403   ok    403   403   ok    403   ok
deleteLabel               403   403   403   403   ok    403   403   ok    403   ok
getTrashedTask            403   403   403   403   sees  403   403   sees  403   sees
emptyTrash                ok    ok    ok    ok    ok    ok    ok    ok    ok    ok
listTrash                 none  none  none  none  sees  none  none  sees  none  sees
destroyTask               403   403   403   403   ok    403   403   ok    404   ok
listProjects              none  sees  sees  sees  sees  none  none  none  none  none
listProjects:archived=all none  sees  sees  sees  sees  none  sees  sees  none  none
createProject             ok    ok    ok    ok    ok    ok    ok    ok    ok    ok
getProject                403   sees  sees  sees  sees  403   sees  sees  404   404
updateProject             403   403   403   ok    ok    403   403   409   403   404
updateProject:archive     403   403   403   403   ok    403   403   ok    403   404
deleteProject             403   403   403   403   ok    403   403   ok    403   404
restoreProject            403   403   403   403   404   403   403   404   403   ok
listTrashedProjects       none  none  none  none  none  none  none  none  none  sees
destroyProject            403   403   403   403   404   403   403   404   403   ok
listProjectHistory        403   403   403   sees  sees  403   403   sees  404   404
listMembers               403   sees  sees  sees  sees  403   sees  sees  404   404
updateMember              403   403   403   ok    ok    403   403   409   403   404
removeMember              403   403   403   ok    ok    403   403   409   403   404
removeMember:oneself      403   ok    ok    ok    409   403   ok    409   404   404
listInvitations           403   403   403   sees  sees  403   403   sees  404   404
createInvitation          403   403   403   ok    ok    403   403   409   403   404
withdrawInvitation        403   403   403   ok    ok    403   403   ok    403   404
acceptInvitation          ok    409   409   409   409   ok    409   409   400   400
declineInvitation         ok    ok    ok    ok    ok    ok    ok    ok    400   400
"""
(_, *PEOPLE), *ROWS = [line.split() for line in TABLE.strip().splitlines()]
EXPECTED = {name: dict(zip(PEOPLE, row, strict=True)) for name, *row in ROWS}
# Whose account that is, and the state of the project.
WHO = {
    "other": ("stranger", "open"),
    "view": ("viewer", "open"),
    "edit": ("editor", "open"),
    "mana": ("manager", "open"),
    "owner": ("owner", "open"),
    "left": ("removed", "open"),
    "a-ed": ("editor", "archived"),
    "a-own": ("owner", "archived"),
    "t-ed": ("editor", "trashed"),
    "t-own": ("owner", "trashed"),
}
PATHS = r"/api/(tasks|projects|labels|people|invitations)(/.*)?"
OPERATIONS = {
    name: operation
    for name, operation in document().operations.items()
    if re.fullmatch(PATHS, operation.path)
}


class Trial:
    """The projects, and all rows as they are before each request."""

    def __init__(self) -> None:
        self.projects = {state: SharedProject(state) for state in STATES}
        self.before = dump()

    def outcome(self, row: str, person: str) -> str:
        """What comes of this request; its writes are undone."""
        name, state = WHO[person]
        where = self.projects[state]
        call = PLANS[row](where, name)
        operation = OPERATIONS[row.partition(":")[0]]
        answer = where.send(operation, call, name)
        is_seen = is_shown(operation.name, answer, where.pk)
        if answer.status_code >= 400:
            assert dump() == self.before, f"{row} of {person}: refused, but written"
            assert not is_seen, f"{row} of {person}: refused, but shown"
            return str(answer.status_code)
        if EXPECTED[row][person] == "ok":
            return "ok"
        return "sees" if is_seen else "none"


def is_shown(name: str, answer: Any, project_id: str) -> bool:
    body = b"".join(answer.streaming_content) if answer.streaming else answer.content
    if name == "getTaskStats" and answer.status_code == 200:
        return project_id in body.decode()
    return SECRET.lower() in body.decode().lower()


@pytest.fixture(scope="module")
def trial(django_db_setup: None, django_db_blocker: Any) -> Iterator[Trial]:
    """In a transaction of this file's."""
    with django_db_blocker.unblock(), transaction.atomic():
        yield Trial()
        transaction.set_rollback(True)


def test_table_knows_every_operation() -> None:
    assert {row.partition(":")[0] for row in EXPECTED} == OPERATIONS.keys()
    assert EXPECTED.keys() == PLANS.keys()


@pytest.mark.django_db
@pytest.mark.parametrize("row", EXPECTED)
def test_everybody_may_what_the_table_says(row: str, trial: Trial) -> None:
    found = {each: undone(lambda e=each: trial.outcome(row, e)) for each in PEOPLE}

    assert found == EXPECTED[row]
