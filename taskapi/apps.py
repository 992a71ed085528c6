from django.apps import AppConfig


class TaskApiConfig(AppConfig):
    name = "taskapi"

    def ready(self) -> None:
        from taskapi import checks  # noqa: F401  they register themselves
