"""What the fields of this app's resources mean (see taskapi.api.openapi)."""

from taskapi.api.openapi import known_values
from tasks.fields import HISTORY_FIELDS
from tasks.serializers.batch import REQUIRED

CHANGED = [field.name for field in HISTORY_FIELDS.values()]
TASK_FIELDS = {
    "title": "What is to be done.",
    "description": "More about it, of any form; `null` if there is none.",
    "status": "How far it is.",
    "priority": "How urgent it is; `MEDIUM` unless it is sent.",
    "dueDate": "When it is due; `null` if it has no due date.",
    "completedAt": "When its status became `DONE`; `null` while it has another.",
    "userId": "The account that it belongs to.",
}
EXPECTED_VERSION = "The expected version: 412 if the task has another one."
FIELDS = {
    **TASK_FIELDS,
    "CreateTaskRequest.status": "How far it is; `TODO` unless it is sent.",
    "CreateTaskRequest.dueDate": "When it is due, with an offset; kept in UTC.",
    "UpdateTaskRequest.version": EXPECTED_VERSION,
    "ReplaceTaskRequest.version": EXPECTED_VERSION,
    "RestoreTaskRequest.version": EXPECTED_VERSION,
    "UpdateOperation.version": EXPECTED_VERSION,
    "DeleteOperation.version": EXPECTED_VERSION,
    "op": "What is done.",
    "CreateOperation.data": "The task, as for `createTask`.",
    "UpdateOperation.id": "The task's id.",
    "UpdateOperation.data": "The changes, as for `updateTask`.",
    "DeleteOperation.id": "The task's id.",
    "operations": "Up to 100, executed in this order.",
    "results": "One for each operation, in its order.",
    "OperationResult.op": f"The operation. {known_values(REQUIRED)}",
    "OperationResult.id": "The task's id.",
    "OperationResult.task": "The task as it is now; `null` if it was deleted.",
    "Stats.total": "The number of tasks; at most 10,000.",
    "Stats.isExact": "Whether all tasks were counted; else the newest 10,000 were.",
    "Stats.byStatus": "The number of tasks with each status.",
    "Stats.byPriority": "The number of tasks with each priority.",
    "Stats.overdue": "How many are due before now and not done.",
    "Stats.dueToday": "How many are due on this day of the `timezone` and not done.",
    "Change.version": "The version that the change made.",
    "ExportedChange.version": "The version that the change made.",
    "changedBy": "The account that made it; `null` if that was erased.",
    "changedAt": "When it was made.",
    "changes": "The changed fields.",
    "taskId": "The task's id.",
    "FieldChange.field": f"Its name. {known_values(CHANGED)}",
    "FieldChange.from": "The value before; any JSON, as in the task.",
    "FieldChange.to": "The value after; any JSON, as in the task.",
    "Export.tasks": "Also those in the trash.",
    "Export.history": "Every change of these tasks.",
    "ExportedIdempotencyKey.key": "The `Idempotency-Key`.",
    "ExportedIdempotencyKey.status": "The status of the answer.",
    "ExportedIdempotencyKey.body": "The body of the answer, as it was sent.",
    "Export.idempotencyKeys": "Answers that are kept for 24 hours for retries.",
    "ExportedTask.deletedAt": "When it was moved to the trash; `null` if it is not.",
}
