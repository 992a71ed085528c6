"""Deletes rows in batches small enough to run while the API serves."""

from typing import Any

from django.db.models import CASCADE, QuerySet


def delete_batch(rows: QuerySet[Any], size: int) -> int:
    """Delete up to `size` rows and the rows that refer to them; return how many.

    Call in a transaction: the rows are locked first, in the order of their keys.
    """
    locked = rows.select_for_update().order_by("pk")
    pks = list(locked.values_list("pk", flat=True)[:size])
    for relation in rows.model._meta.related_objects:
        if relation.on_delete is CASCADE:
            others = relation.related_model._base_manager
            others.filter(**{f"{relation.field.name}__in": pks})._raw_delete(rows.db)
    # Not .delete(), which loads every row to find the rows that refer to it.
    rows.model._default_manager.filter(pk__in=pks)._raw_delete(rows.db)
    return len(pks)
