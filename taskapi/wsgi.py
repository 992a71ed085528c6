import os

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")

application = get_wsgi_application()

# This needs the settings above.
from taskapi.middleware import Utf8Request  # noqa: E402

application.request_class = Utf8Request
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from taskapi import tracing

    tracing.start()
