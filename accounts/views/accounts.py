"""The caller's account, from its making to its end."""

from django.db import IntegrityError, transaction
from django.http import StreamingHttpResponse
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import APIException
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import audit, personal_data, throttles
from accounts import serializers as s
from accounts.models import User
from accounts.views.base import AccountView, PasswordView, PublicView
from accounts.views.sessions import start_session, tokens


class EmailTaken(APIException):
    status_code = 409
    default_detail = "This e-mail address is already registered."
    default_code = "conflict"


class RegisterView(PublicView):
    throttle_classes = [throttles.AddressRateThrottle]

    @extend_schema(
        operation_id="register",
        request=s.RegisterSerializer,
        responses={201: s.TokenPairSerializer, 409: None},
    )
    def post(self, request: Request) -> Response:
        """Create an account and sign in."""
        data = self.validate(s.RegisterSerializer)
        try:
            with transaction.atomic():
                user = User.objects.create_user(**data)
                session = start_session(request, user)
        except IntegrityError as error:
            raise EmailTaken from error
        audit.record(
            "register", request._request, user_id=user.pk, session_id=session.pk
        )
        return Response(tokens(session), status=201)


class MeView(AccountView):
    @extend_schema(operation_id="getMe", responses=s.UserSerializer)
    def get(self, request: Request) -> Response:
        """Get the signed-in user."""
        return Response(s.UserSerializer(self.user).data)

    @extend_schema(
        operation_id="updateMe", request=s.ProfileSerializer, responses=s.UserSerializer
    )
    def patch(self, request: Request) -> Response:
        """Change the user's name."""
        data = self.validate(s.ProfileSerializer)
        return Response(s.UserSerializer(self.user.rename(data.get("name"))).data)


# Described by those who know what every app holds.
EXPORT = {"$ref": "#/components/schemas/Export"}


class ExportView(AccountView):
    @extend_schema(operation_id="exportMe", responses={200: EXPORT})
    def get(self, request: Request) -> StreamingHttpResponse:
        """Export all data of the user, streamed as one JSON object."""
        self.record("export")
        chunks = personal_data.stream(self.user)
        response = StreamingHttpResponse(chunks, content_type="application/json")
        response["Content-Disposition"] = 'attachment; filename="export.json"'
        return response


class DeleteAccountView(PasswordView):
    @extend_schema(
        operation_id="eraseMe", request=s.DeleteAccountSerializer, responses={204: None}
    )
    def post(self, request: Request) -> Response:
        """Permanently erase the user's account and everything it owns."""
        self.require_password(self.validate(s.DeleteAccountSerializer)["password"])
        personal_data.erase(self.user)
        self.record("erase")
        return Response(status=204)
