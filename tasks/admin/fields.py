from collections.abc import Iterator
from typing import Any

from django import forms
from django.contrib.admin.widgets import AdminTextInputWidget
from rest_framework import serializers

from taskapi.api.fields import COLOR
from tasks.models import label_key
from tasks.serializers.task import LabelsField


class UnstrippedCharField(forms.CharField):
    """Keeps text unchanged: Django would strip it, and browsers send CR LF for LF."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"strip": False})

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)


class LabelNamesField(forms.Field):
    """Names separated by commas, as a list without repetitions."""

    widget = AdminTextInputWidget({"class": "vLargeTextField"})

    def to_python(self, value: Any) -> list[str]:
        if isinstance(value, list):
            return value
        names = [name for each in (value or "").split(",") if (name := each.strip())]
        try:
            return list(LabelsField().run_validation(names))
        except serializers.ValidationError as error:
            raise forms.ValidationError([*texts(error.detail)]) from None

    def has_changed(self, initial: Any, data: Any) -> bool:
        before, after = self.to_python(initial), self.to_python(data)
        return {*map(label_key, before)} != {*map(label_key, after)}


def texts(detail: Any) -> Iterator[str]:
    """The sentences in an error, however it is nested."""
    if isinstance(detail, dict | list):
        for each in detail.values() if isinstance(detail, dict) else detail:
            yield from texts(each)
    else:
        yield str(detail)


class ColorField(forms.RegexField):
    default_error_messages = {"invalid": "Not a colour such as #1e90ff."}

    def __init__(self, **options: Any) -> None:
        super().__init__(COLOR, **options | {"empty_value": None})

    def to_python(self, value: Any) -> str | None:
        text: str | None = super().to_python(value)
        return text and text.lower()
