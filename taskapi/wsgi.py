import os

from django.conf import settings
from django.core.cache import close_caches
from django.core.signals import request_finished
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")

application = get_wsgi_application()

# This needs the settings above.
from taskapi.middleware import Utf8Request  # noqa: E402

application.request_class = Utf8Request
# Redis keeps its connections, and local memory has none.
request_finished.disconnect(close_caches)
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from taskapi import tracing

    tracing.start()
