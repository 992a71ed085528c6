"""Personal tokens of the signed-in user."""

from typing import Any, ClassVar, cast
from uuid import UUID

from django.db import transaction
from django.http import HttpResponse
from django.shortcuts import get_object_or_404
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response

from accounts import serializers as s
from accounts.auth import personal_tokens
from accounts.auth.authentication import InvalidToken
from accounts.auth.sessions import InvalidCredentials
from accounts.models import PersonalToken, User
from accounts.views.base import AccountView
from taskapi.api.caching import not_modified
from taskapi.api.headers import IF_MATCH, IF_NONE_MATCH, KEY
from taskapi.api.idempotency import idempotent
from taskapi.api.preconditions import BOTH, Precondition, content_tag, entity_tags
from taskapi.api.scopes import ANY_TOKEN
from taskapi.api.serializers import EmptySerializer


class TokenListView(AccountView):
    @extend_schema(
        operation_id="listTokens", responses={200: s.PersonalTokenListSerializer}
    )
    def get(self, request: Request) -> Response:
        """List the user's personal tokens, the oldest first."""
        tokens = self.principal.personal_tokens.order_by("created_at", "id")
        return Response({"items": s.PersonalTokenSerializer(tokens, many=True).data})

    @extend_schema(
        operation_id="createToken",
        parameters=[KEY],
        request=s.PersonalTokenCreateSerializer,
        responses={
            201: s.NewPersonalTokenSerializer,
            403: None,
            409: None,
            422: None,
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Make a personal token, which is shown in this response and never again."""
        return idempotent(request, self.create_once, has_secret=True)

    def create_once(self) -> HttpResponse:
        values = self.validate(s.PersonalTokenCreateSerializer)
        token, raw = self.create({"project_ids": None, "expires_at": None} | values)
        facts = {"token": token.pk, "scopes": token.scopes}
        transaction.on_commit(lambda: self.record("token_created", **facts))
        data = {**s.PersonalTokenSerializer(token).data, "token": raw}
        return HttpResponse(
            JSONRenderer().render(data),
            status=201,
            content_type="application/json",
            headers={"Location": f"/api/auth/tokens/{token.pk}"},
        )

    def create(self, values: dict[str, Any]) -> tuple[PersonalToken, str]:
        if values["project_ids"]:
            personal_tokens.require_projects(self.principal, values["project_ids"])
        user_id, now = self.principal.pk, timezone.now()
        try:
            with transaction.atomic():
                return personal_tokens.create(
                    user_id, self.session_id, **values, now=now
                )
        except InvalidCredentials as error:
            raise InvalidToken from error


class CurrentTokenView(AccountView):
    token_scopes = {"get": ANY_TOKEN}
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"get": BOTH}

    @extend_schema(
        operation_id="getCurrentToken",
        parameters=[IF_MATCH, IF_NONE_MATCH],
        responses={200: s.PersonalTokenSerializer, 304: None, 412: None},
    )
    def get(self, request: Request) -> HttpResponse:
        """Get the personal token that the request was sent with."""
        token = self.current_token()
        data = s.PersonalTokenSerializer(token).data
        etag = content_tag(data)
        Precondition(entity_tags(request._request, "If-Match")).require(etag, data)
        response = Response(data, headers={"ETag": etag})
        return not_modified(request, etag, {}) or response

    def current_token(self) -> PersonalToken:
        pk = cast(User, self.request.user).token_id
        found = PersonalToken.objects.filter(pk=pk).first() if pk else None
        if found is None:
            raise NotFound("The request was sent without a personal token.")
        return found


class TokenView(AccountView):
    preconditions: ClassVar[dict[str, frozenset[str]]] = {"delete": BOTH}

    @extend_schema(
        operation_id="revokeToken",
        parameters=[IF_MATCH],
        responses={204: None, 412: None},
    )
    def delete(self, request: Request, pk: UUID) -> Response:
        """Revoke a personal token of the user."""
        self.validate(EmptySerializer)
        token = get_object_or_404(self.principal.personal_tokens, pk=pk)
        current = s.PersonalTokenSerializer(token).data
        expects = Precondition.from_request(request._request)
        expects.require(content_tag(current), current)
        token.delete()
        self.record("token_revoked", token=pk)
        return Response(status=204)
