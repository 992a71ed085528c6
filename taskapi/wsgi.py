import os

import django
from django.conf import settings

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
django.setup(set_prefix=False)

# This needs the settings above.
from taskapi.handler import Handler, disconnect_receivers  # noqa: E402

application = Handler()
disconnect_receivers()
if settings.OTEL_EXPORTER_OTLP_ENDPOINT:
    from taskapi.http import tracing

    tracing.start()
