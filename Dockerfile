# One image for serving (its CMD), for `python manage.py worker`, which needs a health
# check of its own (compose.yaml has it), and for `migrate` and `housekeeping`. Only /tmp has
# to be writable.
#
# The tag follows Python's patch releases. To pin the image that you tested, append the
# digest that `docker buildx imagetools inspect python:3.13-slim` prints:
# python:3.13-slim@sha256:...
FROM python:3.13-slim AS python

FROM python AS builder
RUN python -m venv --without-pip /venv
COPY requirements.txt /requirements.txt
# Wheels only, so that no package runs its own code during the installation.
RUN pip --python /venv/bin/python install --no-cache-dir --no-compile \
    --require-hashes --only-binary=:all: -r /requirements.txt
COPY manage.py gunicorn.conf.py /app/
COPY accounts/ /app/accounts/
COPY tasks/ /app/tasks/
COPY taskapi/ /app/taskapi/
# The modes of the checkout depend on the umask that created it. Bytecode is not compared
# with the time stamps of its source, which a builder may rewrite.
RUN chmod -R u=rwX,go=rX /app \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /app /venv

FROM python
# Python's images contain no bytecode, so a read-only container would compile the standard
# library at each start and each health check.
RUN pip uninstall --yes --quiet --root-user-action=ignore pip \
    && rm -rf /usr/local/bin/pip* /usr/local/lib/python3.*/ensurepip \
    && python -m compileall -q -j 0 --invalidation-mode unchecked-hash /usr/local/lib
COPY --from=builder /venv /venv
COPY --from=builder /app /app
ENV PATH=/venv/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    HOME=/tmp \
    HOST=0.0.0.0 \
    PORT=8000
WORKDIR /app
USER 10001:10001
EXPOSE 8000
STOPSIGNAL SIGTERM
# A host outside ALLOWED_HOSTS would get 400, so the check sends the first allowed one.
HEALTHCHECK --interval=5s --timeout=4s --start-period=30s --retries=3 CMD \
    ["python", "-c", "import os, urllib.request as web; host = os.environ.get('ALLOWED_HOSTS') or 'localhost'; port = os.environ.get('PORT') or '8000'; web.urlopen(web.Request(f'http://127.0.0.1:{port}/livez', headers={'Host': host.split(',')[0].strip().lstrip('.')}), timeout=3)"]
CMD ["gunicorn", "-c", "gunicorn.conf.py", "taskapi.asgi"]
ARG VERSION=unknown
ARG REVISION=unknown
LABEL org.opencontainers.image.title="taskapi" \
    org.opencontainers.image.description="Self-hosted task management REST API" \
    org.opencontainers.image.licenses="MIT" \
    org.opencontainers.image.base.name="python:3.13-slim" \
    org.opencontainers.image.version="$VERSION" \
    org.opencontainers.image.revision="$REVISION"
