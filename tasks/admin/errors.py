"""Tells administrators what an operation refuses, in the form or as a message."""

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.contrib.auth import get_user_model
from django.db import transaction
from django.http import HttpRequest, HttpResponseRedirect
from rest_framework.exceptions import APIException, NotFound, ValidationError

from taskapi.api.errors import to_api_exception
from tasks.fields import TASK_FIELDS

# What the operations raise; DoesNotExist for an owner who was erased in this moment.
REFUSALS = (APIException, get_user_model().DoesNotExist)
GONE = "It was removed, or it or its project is in the trash."
MAX_TOLD = 10
COLUMNS = {field.name: field.column for field in TASK_FIELDS}


def reasons(refusal: Exception) -> Iterator[tuple[str, str]]:
    """The field and what is wrong with it; "" where it is no single field."""
    error: Any = to_api_exception(refusal)
    if isinstance(error, NotFound):
        yield "", GONE
    elif isinstance(error, ValidationError) and isinstance(error.detail, dict):
        for name, texts in error.detail.items():
            yield from ((COLUMNS.get(name, name), str(text)) for text in texts)
    else:
        yield "", str(error.detail)


def sentence(refusal: Exception) -> str:
    return " ".join(text for _, text in reasons(refusal))


class OperationForm(forms.ModelForm):
    """A form that shows what the operation refused when it was sent."""

    refusal: Exception | None = None

    def clean(self) -> dict[str, Any] | None:
        cleaned = super().clean()
        if self.refusal:
            for name, text in reasons(self.refusal):
                self.add_error(name if name in self.fields else None, text)
        return cleaned


class OperationModelAdmin(admin.ModelAdmin):
    """For models that only operations write: all is done, or nothing and it is told."""

    form = OperationForm

    def changeform_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        try:
            return super().changeform_view(request, *args, **options)
        except REFUSALS as refusal:
            # Its transaction was rolled back. The same form is now invalid.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, *args, **options)

    def get_form(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        form: Any = super().get_form(request, *args, **options)
        form.refusal = getattr(request, "refusal", None)
        return form

    def delete_view(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        return self.explain(super().delete_view, request, *args, **options)

    def response_action(self, request: HttpRequest, *args: Any, **options: Any) -> Any:
        if request.POST.get("action") != "delete_selected":
            return super().response_action(request, *args, **options)
        return self.explain(super().response_action, request, *args, **options)

    def explain(
        self, view: Callable[..., Any], request: HttpRequest, *args: Any, **options: Any
    ) -> Any:
        try:
            with transaction.atomic():
                return view(request, *args, **options)
        except REFUSALS as refusal:
            message = f"Nothing was changed. {sentence(refusal)}"
            self.message_user(request, message, messages.ERROR)
            return HttpResponseRedirect(request.get_full_path())


def perform_each(
    model_admin: admin.ModelAdmin,
    request: HttpRequest,
    rows: Iterable[Any],
    perform: Callable[[Any], object],
    done: str,
) -> None:
    """Perform an operation on each row in its own transaction; tell how many were
    `done`, and what was refused.
    """
    count, refused = 0, []
    for row in rows:
        try:
            perform(row)
        except REFUSALS as refusal:
            refused.append(f"{row}: {sentence(refusal)}")
        else:
            count += 1
    model_admin.message_user(request, done.format(count))
    if (more := len(refused) - MAX_TOLD) > 0:
        refused[MAX_TOLD:] = [f"{more} more were refused, too."]
    for message in refused:
        model_admin.message_user(request, message, messages.ERROR)
