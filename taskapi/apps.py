from django.apps import AppConfig


class TaskApiConfig(AppConfig):
    name = "taskapi"
