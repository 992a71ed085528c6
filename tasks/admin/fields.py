from typing import Any

from django import forms


class UnstrippedCharField(forms.CharField):
    """Keeps text unchanged: Django would strip it, and browsers send CR LF for LF."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options | {"strip": False})

    def to_python(self, value: Any) -> str:
        text = (super().to_python(value) or "").replace("\r\n", "\n")
        return text if text.strip() else ""

    def has_changed(self, initial: Any, data: Any) -> bool:
        return self.to_python(initial) != self.to_python(data)
