"""What operations may answer besides what their views say."""

from textwrap import dedent
from typing import Any

from drf_spectacular.openapi import AutoSchema
from rest_framework.permissions import AllowAny

from taskapi.openapi import examples, extensions
from taskapi.openapi import responses as described
from taskapi.openapi.components import JSON, UUID_PATTERN, ref
from taskapi.openapi.links import links

__all__ = ["Schema", "extensions"]  # the latter registers itself by being imported

# Serializer -> component, where the former's name says less to a client.
NAMES = {
    "TaskCreate": "CreateTask",
    "TaskUpdate": "UpdateTask",
    "TaskReplace": "ReplaceTask",
    "Version": "RestoreTask",
    "TaskChange": "Change",
    "TokenPair": "Tokens",
    "Profile": "UpdateMe",
    "DeleteAccount": "EraseMe",
    "PasswordChange": "ChangePassword",
    "PasswordResetRequest": "ForgotPassword",
    "PasswordResetConfirm": "ResetPassword",
}
SUCCESSES = {
    200: "Done.",
    201: "Made.",
    202: "Taken on.",
    204: "Done; there is nothing to tell.",
    304: "What If-None-Match names is still current.",
}
REFUSALS = {
    400: "BadRequest",
    401: "Unauthorized",
    403: "Forbidden",
    404: "NotFound",
    405: "MethodNotAllowed",
    406: "NotAcceptable",
    409: "StillRunning",
    412: "PreconditionFailed",
    413: "PayloadTooLarge",
    415: "UnsupportedMediaType",
    422: "IdempotencyKeyReused",
    428: "PreconditionRequired",
    429: "TooManyRequests",
    500: "InternalServerError",
    503: "ServiceUnavailable",
}
OTHER_REFUSALS = {
    ("register", 409): "EmailTaken",
    ("batchTasks", 412): "OperationPreconditionFailed",
}
# Asks the database only after the answer.
NEVER = {("forgotPassword", 503)}
CACHED = ("Cache-Control", "Vary")
SUCCESS_HEADERS = {
    ("createTask", 201): ("Location", "ETag", "Idempotency-Replayed"),
    ("listTasks", 200): ("List-ETag", *CACHED),
    ("listTasks", 304): ("List-ETag", *CACHED),
    ("getTask", 200): ("ETag", *CACHED),
    ("getTask", 304): ("ETag", *CACHED),
    ("updateTask", 200): ("ETag",),
    ("replaceTask", 200): ("ETag",),
    ("restoreTask", 200): ("ETag", "Idempotency-Replayed"),
    ("batchTasks", 200): ("Idempotency-Replayed",),
    ("exportMe", 200): ("Content-Disposition",),
    ("exportTasks", 200): ("Content-Disposition",),
}


class Schema(AutoSchema):
    def get_operation(self, *args: Any) -> dict[str, Any] | None:
        operation = super().get_operation(*args)
        if operation:
            summary, _, more = operation.pop("description").partition("\n")
            operation["summary"] = summary.rstrip(".")
            if more.strip():
                operation["description"] = dedent(more).strip()
            # Said in full: some generators take `[{}]` for "needs a token".
            if self.is_public:
                operation["security"] = []
            describe_ids(operation.get("parameters", []))
            self.complete_answers(operation)
            add_examples(operation)
        return operation

    def complete_answers(self, operation: dict[str, Any]) -> None:
        name, answers = operation["operationId"], operation["responses"]
        refused = {status for status in map(int, answers) if status >= 400}
        for status in refused | self.refusals():
            if (name, status) not in NEVER:
                kind = OTHER_REFUSALS.get((name, status), REFUSALS[status])
                answers[str(status)] = ref("responses", kind)
        for status, answer in answers.items():
            if int(status) < 400:
                own = SUCCESS_HEADERS.get((name, int(status)), ())
                answer["description"] = SUCCESSES[int(status)]
                answer["headers"] = described.headers(*described.LIMITS, *own)
                if onward := links(name, int(status)):
                    answer["links"] = onward
        operation["responses"] = dict(sorted(answers.items()))

    def refusals(self) -> set[int]:
        """What this operation may answer whatever its view does."""
        statuses = {400, 405, 406, 415, 429, 500, 503}
        if not self.is_public:
            statuses.add(401)
        if self.method != "GET":  # also a DELETE's body is read
            statuses.add(413)
        if "{" in self.path:
            statuses |= {403, 404} if "/tasks/" in self.path else {404}
        return statuses

    @property
    def is_public(self) -> bool:
        return AllowAny in self.view.permission_classes

    def get_tags(self) -> list[str]:
        if self.path.startswith("/api/auth/"):
            return ["Accounts"]
        is_trash = "/trash" in self.path or self.path.endswith("/restore")
        return ["Trash"] if is_trash else ["Tasks"]

    def get_serializer_name(self, serializer: Any, direction: Any) -> str:
        name = super().get_serializer_name(serializer, direction)
        bare = name.removesuffix("Serializer")
        return NAMES.get(bare, bare)

    def get_paginated_name(self, serializer_name: str) -> str:
        return f"{serializer_name}List"


def describe_ids(parameters: list[dict[str, Any]]) -> None:
    for parameter in parameters:
        if parameter["in"] == "path":
            # No capitals: to Django that is no such route.
            parameter["schema"]["pattern"] = UUID_PATTERN
            parameter["description"] = "As `id` in the answers."
            parameter["example"] = examples.TASK_ID


def add_examples(operation: dict[str, Any]) -> None:
    name = operation["operationId"]
    if name in examples.REQUESTS:
        content = operation["requestBody"]["content"][JSON]
        content["example"] = examples.REQUESTS[name]
    for status, answer in operation["responses"].items():
        if status in {"200", "201"} and name in examples.ANSWERS:
            answer["content"][JSON]["example"] = examples.ANSWERS[name]
        for media_type, content in answer.get("content", {}).items():
            if media_type in examples.FILES:
                content["example"] = examples.FILES[media_type]
