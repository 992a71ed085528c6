"""What the fields of all resources mean, and which field has no description yet."""

from typing import Any

from taskapi.openapi import apps

FIELDS = {
    "id": "The id, which never changes.",
    "version": "Grows by 1 with each change, from 1.",
    "createdAt": "When it was created.",
    "updatedAt": "When it was last changed.",
    "deletedAt": "When it was moved to the trash.",
    "items": "The page.",
    "total": "The number of all items; `null` with a cursor.",
    "totalIsExact": "Whether `total` is exact: it is not where counting stopped, which "
    "is at 10,000, and in a search (`q`) whose page was filled early.",
    "page": "The number of this page; `null` with a cursor.",
    "totalPages": "The number of pages; `null` with a cursor.",
    "nextCursor": "Send it as `cursor` for the next page; `null` on the last one.",
    "requestId": "The id of the request, as in `X-Request-Id`.",
    "ErrorResponse.error": "What went wrong.",
    "FieldError.code": "The rule that was broken, for programs.",
    "FieldError.message": "The rule that was broken, for people.",
    "Health.status": "Whether requests are served; `draining`: the server will stop.",
    "Health.database": "Whether the database responds.",
}


def describe(schemas: dict[str, Any]) -> None:
    """Describe each field that has no help_text: one name means one thing."""
    meanings = FIELDS | apps.merged("FIELDS")
    for component, schema in schemas.items():
        for name, field in schema.get("properties", {}).items():
            meaning = meanings.get(f"{component}.{name}") or meanings.get(name)
            if meaning and isinstance(field, dict) and "description" not in field:
                schema["properties"][name] = field | {"description": meaning}
