"""REST framework, the OpenAPI document, and the headers that browsers may see."""

DESCRIPTION = """\
An API for tasks. No write is lost, duplicated or silently overwritten.

**Signing in.** `register` and `login` return an access token, which is valid for 15
minutes and sent as `Authorization: Bearer …`, and a refresh token, which `refresh`
exchanges for its one successor. Reusing a spent refresh token ends its session.
Programs send a personal token of `createToken` instead, which has scopes.

**Errors** have one shape, `Error`, on every path and for every status. `error.code` is
for programs, `error.message` for people, and `error.details` names each invalid field.
A field or query parameter that is not documented here is rejected, never ignored. Every
response carries `X-Request-Id`: the request's own, if it sent one, or a new one.

**Concurrency.** A task's `ETag` is its version. `PUT` requires it in `If-Match`;
`PATCH`, `DELETE` and `restore` accept it there, or as `version` in the body, and return
412 with the current task if it does not match. Without it, `PATCH` sets the fields that
are sent and no others.

**Retries.** A `POST` under `/api/tasks` may carry an `Idempotency-Key`: sent again
within 24 hours, it writes nothing and returns the first response, marked
`Idempotency-Replayed`. 429 and 503 carry `Retry-After`; `RateLimit` has what is left.

`HEAD` is served wherever `GET` is, and `OPTIONS` lists the methods of a path.
"""

# Swagger UI fills in the example of every parameter, before anybody can type, and would
# send them all: a cursor with a page, each filter, an old Idempotency-Key.
SWAGGER_UI_SETTINGS = """\
{
  deepLinking: true,
  plugins: [{
    wrapComponents: {
      parameterRow: (Original, { React }) => (props) => {
        const onChange = (parameter, value, isXml) => {
          const isWanted = props.isExecute || parameter.get("required");
          props.onChange(parameter, isWanted ? value : null, isXml);
        };
        return React.createElement(Original, { ...props, onChange });
      },
    },
  }],
}"""

REST_FRAMEWORK = {
    "DEFAULT_AUTHENTICATION_CLASSES": [
        "accounts.auth.authentication.SessionTokenAuthentication",
        "accounts.auth.authentication.PersonalTokenAuthentication",
    ],
    "DEFAULT_PERMISSION_CLASSES": ["rest_framework.permissions.IsAuthenticated"],
    "DEFAULT_THROTTLE_CLASSES": ["accounts.throttles.UserRateThrottle"],
    "DEFAULT_CONTENT_NEGOTIATION_CLASS": "taskapi.api.negotiation.ContentNegotiation",
    "DEFAULT_PARSER_CLASSES": [
        "taskapi.api.parsers.StrictJSONParser",
        "taskapi.api.parsers.MergePatchParser",
    ],
    "DEFAULT_RENDERER_CLASSES": ["rest_framework.renderers.JSONRenderer"],
    "DEFAULT_FILTER_BACKENDS": ["django_filters.rest_framework.DjangoFilterBackend"],
    "DEFAULT_PAGINATION_CLASS": "taskapi.api.pagination.KeysetPagination",
    # OPTIONS returns nothing but Allow.
    "DEFAULT_METADATA_CLASS": None,
    "DEFAULT_SCHEMA_CLASS": "taskapi.openapi.operations.Schema",
    "EXCEPTION_HANDLER": "taskapi.api.errors.exception_handler",
    "URL_FORMAT_OVERRIDE": None,
}
SPECTACULAR_SETTINGS = {
    "TITLE": "Task API",
    "DESCRIPTION": DESCRIPTION,
    "VERSION": "1.0.0",
    "LICENSE": {"name": "MIT", "identifier": "MIT"},
    "CONTACT": {"name": "The operator of this server"},
    "SERVERS": [{"url": "/"}],
    "OAS_VERSION": "3.1.1",
    "SCHEMA_PATH_PREFIX": "/api",
    "PATH_CONVERTER_OVERRIDES": {"id": {"type": "string", "format": "uuid"}},
    "SERVE_INCLUDE_SCHEMA": False,
    "SERVE_PERMISSIONS": ["rest_framework.permissions.AllowAny"],
    "SERVE_AUTHENTICATION": [],
    "POSTPROCESSING_HOOKS": [
        "drf_spectacular.hooks.postprocess_schema_enums",
        "taskapi.openapi.hooks.complete",
    ],
    "SWAGGER_UI_DIST": "SIDECAR",
    "SWAGGER_UI_SETTINGS": SWAGGER_UI_SETTINGS,
    "SWAGGER_UI_FAVICON_HREF": "SIDECAR",
    "COMPONENT_SPLIT_REQUEST": True,
    "COMPONENT_SPLIT_PATCH": False,
    "ENUM_GENERATE_CHOICE_DESCRIPTION": False,
    "ENUM_NAME_OVERRIDES": {
        "Role": "accounts.models.Role",
        "Status": "tasks.models.Status",
        "Priority": "tasks.models.Priority.names",
        "RecurrenceOrigin": "tasks.recurrence.series.ORIGINS",
    },
}

CORS_EXPOSE_HEADERS = [
    "Content-Disposition",
    "ETag",
    "Idempotency-Replayed",
    "Location",
    "RateLimit",
    "RateLimit-Policy",
    "Retry-After",
    "X-Request-Id",
]
CORS_ALLOW_HEADERS = [
    "accept",
    "authorization",
    "baggage",
    "content-type",
    "idempotency-key",
    "if-match",
    "if-none-match",
    "sentry-trace",
    "traceparent",
    "tracestate",
    "x-request-id",
    "x-requested-with",
]
