"""The caller's account, from its making to its end."""

from typing import Any, ClassVar

from django.db import transaction
from django.http import HttpResponse, StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit, personal_data, registration, throttles
from accounts import serializers as s
from accounts.models import User
from accounts.views.base import AccountView, PasswordView, PublicView
from accounts.views.sessions import start_session, tokens
from taskapi.api.caching import not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH
from taskapi.api.preconditions import BOTH, Precondition, content_tag, entity_tags
from taskapi.api.scopes import SESSION_ONLY, Scope
from taskapi.api.streams import stream_response


class RegisterView(PublicView):
    throttle_classes = [throttles.AddressRateThrottle]

    @extend_schema(
        operation_id="register",
        request=s.RegisterSerializer,
        responses={201: s.TokenPairSerializer, 403: None, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Create an account and sign in."""
        registration.require_open()
        data = self.validate(s.RegisterSerializer)
        with transaction.atomic():
            user = registration.register(**data)
            session = start_session(request, user)
        audit.record(
            "register", request._request, user_id=user.pk, session_id=session.pk
        )
        return Response(tokens(session), status=201)


class MeView(AccountView):
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"get": BOTH, "patch": BOTH}
    token_scopes = {**SESSION_ONLY, "get": Scope.ACCOUNT_READ}

    @extend_schema(
        operation_id="getMe",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.UserSerializer, 304: None, 412: None},
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the signed-in user; If-None-Match answers 304 while it is unchanged."""
        data = s.UserSerializer(self.user).data
        etag = content_tag(data)
        tags = entity_tags(request._request, "If-Match")
        Precondition(tags).require(etag, data)
        return not_modified(request, etag, {}) or tagged(data, etag)

    @extend_schema(
        operation_id="updateMe",
        parameters=[IF_MATCH],
        request=s.ProfileSerializer,
        responses={200: s.UserSerializer, 412: None},
    )
    def patch(self, request: Request) -> Response:
        """Change the user's name."""
        name = self.validate(s.ProfileSerializer).get("name")
        expects = Precondition.from_request(request._request)
        with transaction.atomic():
            user = User.objects.get_for_update(self.principal.pk)
            current = s.UserSerializer(user).data
            expects.require(content_tag(current), current)
            data = s.UserSerializer(user.rename(name)).data
        return tagged(data, content_tag(data))


def tagged(data: Any, etag: str) -> Response:
    return Response(data, headers={"ETag": etag})


# Described by those who know what every app holds.
EXPORT = {"$ref": "#/components/schemas/Export"}


class ExportView(AccountView):
    @extend_schema(operation_id="exportMe", responses={200: EXPORT})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export all data of the user, streamed as one JSON object."""
        user = self.user
        response = stream_response(
            user.pk,
            lambda: personal_data.stream(user),
            content_type="application/json",
            headers={"Content-Disposition": 'attachment; filename="export.json"'},
        )
        self.record("export")
        return response


class DeleteAccountView(PasswordView):
    @extend_schema(
        operation_id="eraseMe",
        request=s.DeleteAccountSerializer,
        responses={204: None, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Permanently erase the user's account and everything it owns.

        Nothing of it can be read any more; what is stored is removed within a day.
        """
        data = self.validate(s.DeleteAccountSerializer)
        self.require_password(data["password"])
        delete_shared = data.get("deleteShared", False)
        personal_data.erase(self.user, delete_shared=delete_shared)
        self.record("erase")
        return Response(status=204)
