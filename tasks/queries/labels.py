"""Lists of labels: those of a space, or those of the tasks of a project."""

from typing import Any, cast
from uuid import UUID

import django_filters as filters
from django import forms
from django.db.models import Exists, OuterRef, QuerySet
from django_filters.utils import translate_validation
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request

from taskapi.api.openapi import EXAMPLE_ID
from taskapi.api.pagination import KeysetPagination
from taskapi.db.text import Contains, Fold, literal
from tasks import access
from tasks.filters import ID, text_filter, with_schema
from tasks.models import Label, TaskLabel
from tasks.queries.sources import require_project


class IdFormField(forms.CharField):
    def clean(self, value: Any) -> UUID | None:
        if not value:
            return None
        if not ID.fullmatch(value):
            raise forms.ValidationError("Send the id of one project.", "invalid")
        return UUID(value)


class IdFilter(filters.Filter):
    field_class = IdFormField


class LabelFilter(filters.FilterSet):
    """How the list of labels can be filtered and searched."""

    project = with_schema(
        {
            "type": "string",
            "format": "uuid",
            "description": "The labels that live tasks of this project have.",
            "example": EXAMPLE_ID,
        },
        IdFilter(method="noop"),
    )
    q = text_filter("the name", 50, "garden")

    class Meta:
        model = Label
        fields: list[str] = []

    def search(self, labels: QuerySet[Label], name: str, value: str) -> QuerySet[Label]:
        return labels.filter(Contains(Fold("name"), Fold(literal(value))))

    def noop(self, labels: QuerySet[Label], name: str, value: Any) -> QuerySet[Label]:
        return labels


class LabelPagination(KeysetPagination):
    """Its cursors hold the revision of the space whose labels are listed."""

    revision: int

    def get_start(self, request: Request) -> int:
        return self.revision


def select_labels(principal: Any, sent: dict[str, str]) -> tuple[QuerySet[Label], int]:
    """The labels that a query string asks for, by name, and their space's revision;
    ValidationError, ProjectForbidden.
    """
    parsed = LabelFilter(sent, Label.objects.all())
    if not parsed.is_valid():
        raise cast(ValidationError, translate_validation(parsed.errors))
    project_id = parsed.form.cleaned_data["project"]
    labels, revision = (
        of_project(principal, project_id)
        if project_id
        else (access.visible_labels(principal), principal.revision)
    )
    found = parsed.filter_queryset(labels)
    return found.order_by(Fold("name").asc(), "id"), revision


def of_project(principal: Any, pk: UUID) -> tuple[QuerySet[Label], int]:
    """The labels of its live tasks, and the revision of its space."""
    project = require_project(
        access.get_accesses(principal.pk, [pk], principal.project_ids), pk
    )
    live = TaskLabel.objects.filter(label=OuterRef("pk"), project_id=pk)
    labels = access.labels_of(project.owner_id).filter(Exists(live))
    if project.owner_id == principal.pk:
        return labels, principal.revision
    return labels, access.revision_of(project.owner_id)
