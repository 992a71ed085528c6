"""A button that takes a row back out of the trash."""

from typing import Any

from django.contrib import messages
from django.contrib.admin.utils import unquote
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.urls import path, reverse
from django.views.decorators.http import require_POST

from tasks.admin.errors import REFUSALS, OperationModelAdmin, sentence


class RestorableModelAdmin(OperationModelAdmin):
    """For models with `deleted_at`."""

    def restore(self, request: HttpRequest, row: Any) -> object:
        raise NotImplementedError

    def get_urls(self) -> list[Any]:
        view = self.admin_site.admin_view(require_POST(self.restore_view))
        name = self.url_name("restore")
        return [path("<path:object_id>/restore/", view, name=name), *super().get_urls()]

    def url_name(self, page: str) -> str:
        return f"{self.opts.app_label}_{self.opts.model_name}_{page}"

    def restore_view(self, request: HttpRequest, object_id: str) -> HttpResponse:
        if not self.has_change_permission(request):
            raise PermissionDenied
        row = self.get_object(request, unquote(object_id))
        if row is None:
            return HttpResponseRedirect(reverse(f"admin:{self.url_name('changelist')}"))
        try:
            self.restore(request, row)
        except REFUSALS as refusal:
            message = f"Nothing was changed. {sentence(refusal)}"
            self.message_user(request, message, messages.ERROR)
        else:
            self.log_change(request, row, "Restored.")
            self.message_user(request, f"“{row}” was restored.")
        return HttpResponseRedirect(
            reverse(f"admin:{self.url_name('change')}", args=[row.pk])
        )

    def render_change_form(
        self, request: HttpRequest, context: Any, *args: Any, **options: Any
    ) -> Any:
        row = context.get("original")
        if row and row.deleted_at and self.has_change_permission(request):
            name = f"admin:{self.url_name('restore')}"
            context["restore_url"] = reverse(name, args=[row.pk])
        return super().render_change_form(request, context, *args, **options)
