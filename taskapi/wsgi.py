import os

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")

application = get_wsgi_application()

from taskapi.middleware import Utf8Request  # noqa: E402 - needs the settings above

application.request_class = Utf8Request
