"""The comments of all users, to be looked at and deleted."""

from typing import Any

from django.contrib import admin
from django.contrib.auth import get_user_model
from django.db.models import OuterRef, Prefetch, QuerySet, Subquery
from django.http import HttpRequest
from django.utils.text import Truncator

from taskapi.api.preconditions import NO_PRECONDITION
from tasks.admin.actions import author_of
from tasks.admin.errors import OperationModelAdmin
from tasks.admin.history import UNKNOWN
from tasks.models import ADMIN_INDEX_PREDICATE, Comment, Task
from tasks.operations.comments import delete_comment

MAX_CHARACTERS = 60


@admin.register(Comment)
class CommentAdmin(OperationModelAdmin):
    list_display = ("excerpt", "author", "task", "created_at")
    sortable_by = ("created_at",)
    search_fields = ("author_id",)
    search_help_text = "The full e-mail address of the author."
    ordering = ("-created_at", "-id")
    fields = readonly_fields = (
        *("author", "task", "text"),
        *("id", "version", "created_at", "updated_at"),
    )

    def get_queryset(self, request: HttpRequest) -> QuerySet[Comment]:
        comments = super().get_queryset(request).filter(ADMIN_INDEX_PREDICATE)
        users: Any = get_user_model()._default_manager
        author = users.filter(pk=OuterRef("author_id")).values("email")
        tasks = Prefetch("task", Task.objects.only("title", "user_id"))
        return (
            without_erased(comments)
            .annotate(author_email=Subquery(author))
            .prefetch_related(tasks)
        )

    def get_search_results(
        self, request: HttpRequest, queryset: QuerySet[Comment], search_term: str
    ) -> tuple[QuerySet[Comment], bool]:
        users = get_user_model()._default_manager
        for word in search_term.split():
            authors = users.filter(email__lower=word.lower())
            queryset = queryset.filter(author_id__in=authors.values("pk"))
        return queryset, False

    @admin.display(description="text")
    def excerpt(self, comment: Comment) -> str:
        return Truncator(" ".join(comment.text.split())).chars(MAX_CHARACTERS)

    @admin.display
    def author(self, comment: Any) -> str:
        return comment.author_email or UNKNOWN["user"]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return super().has_change_permission(request, obj)

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> tuple[Any, ...]:
        texts = [self.excerpt(comment) for comment in objs]
        return texts, {"comments": len(texts)}, set(), []

    def delete_model(self, request: HttpRequest, obj: Comment) -> None:
        context = author_of(request, obj.task.user_id)
        delete_comment(obj.task_id, obj.pk, context, NO_PRECONDITION)

    def delete_queryset(
        self, request: HttpRequest, queryset: QuerySet[Comment]
    ) -> None:
        # All or none. In one order: each locks the row of its task's owner.
        for comment in sorted(queryset, key=lambda each: each.task.user_id):
            self.delete_model(request, comment)


def without_erased(comments: QuerySet[Comment]) -> QuerySet[Comment]:
    """Without those on tasks of users who are erased."""
    users: Any = get_user_model()._default_manager
    erased = users.erased()
    if not erased.exists():
        return comments
    # Not by a path to the user, which would be a join for every row.
    return comments.exclude(task__in=Task.objects.filter(user__in=erased))
