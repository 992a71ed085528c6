from django.apps import AppConfig
from django.contrib.admin import apps as admin


class TaskApiConfig(AppConfig):
    name = "taskapi"

    def ready(self) -> None:
        from taskapi import checks  # noqa: F401  they register themselves


class BoundedAdminConfig(admin.AdminConfig):
    """Replaces django.contrib.admin in INSTALLED_APPS."""

    default = False
    default_site = "taskapi.admin.Site"
