from django.apps import AppConfig
from django.contrib.admin import apps as admin


class TaskApiConfig(AppConfig):
    name = "taskapi"

    def ready(self) -> None:
        from django.db.backends.signals import connection_created

        from taskapi import checks  # noqa: F401  they register themselves
        from taskapi.db.text import register_functions

        connection_created.connect(register_functions)


class BoundedAdminConfig(admin.AdminConfig):
    """Replaces django.contrib.admin in INSTALLED_APPS."""

    default = False
    default_site = "taskapi.admin.Site"
