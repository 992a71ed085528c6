"""What the OpenAPI document says of projects, members and invitations."""

from typing import Any

from taskapi.api.openapi import (
    EXAMPLE_CREATED,
    EXAMPLE_ID,
    EXAMPLE_INNER_ID,
    EXAMPLE_REQUEST_ID,
    EXAMPLE_UPDATED,
    EXAMPLE_USER_ID,
    NULLABLE_UTC,
    RATE_LIMIT,
    UTC,
    UUID,
    ErrorResponse,
    Operation,
    array_of,
    header,
    known_values,
    link,
    object_of,
    ref,
    text,
)
from tasks.models import Role
from tasks.openapi.examples import page
from tasks.serializers.projects import MEMBER_ROLES

TAGS = {
    "Projects": "Lists of tasks, your own and those that are shared with you.",
    "Members": "Who has access to a project, and who is invited.",
}
COMPONENT_NAMES = {
    "ProjectCreate": "CreateProject",
    "ProjectUpdate": "UpdateProject",
    "MemberUpdate": "UpdateMember",
    "InvitationCreate": "CreateInvitation",
    "InvitationToken": "AcceptInvitation",
    "InvitationDecline": "DeclineInvitation",
}
NEW_PROJECT = {"name": "House", "color": "#1e90ff"}
PROJECT: dict[str, Any] = {
    "id": EXAMPLE_ID,
    "ownerId": EXAMPLE_USER_ID,
    "name": "House",
    "description": None,
    "color": "#1e90ff",
    "isInbox": False,
    "role": "OWNER",
    "position": "0655b1f24c80000005d2i",
    "archivedAt": None,
    "version": 1,
    "createdAt": EXAMPLE_CREATED,
    "updatedAt": EXAMPLE_CREATED,
}
CHANGED = PROJECT | {"name": "Home", "version": 2, "updatedAt": EXAMPLE_UPDATED}
TRASHED = CHANGED | {"deletedAt": EXAMPLE_UPDATED}
MEMBER = {
    "userId": EXAMPLE_INNER_ID,
    "name": "Bob",
    "role": "EDITOR",
    "joinedAt": EXAMPLE_CREATED,
}
NEW_INVITATION = {"email": "bob@example.com", "role": "EDITOR"}
INVITATION = NEW_INVITATION | {
    "id": EXAMPLE_INNER_ID,
    "invitedById": EXAMPLE_USER_ID,
    "createdAt": EXAMPLE_CREATED,
    "expiresAt": "2026-12-08T09:00:00Z",
}
EXAMPLE_OF_MAIL = "7Xo1mB0sTq9v5wYpZr3kLc8hNf2dGj4aUe6iQxKtVnM"
CHANGE = {
    "changedBy": EXAMPLE_USER_ID,
    "changedAt": EXAMPLE_UPDATED,
    "requestId": EXAMPLE_REQUEST_ID,
    "changes": [{"field": "name", "from": "House", "to": "Home"}],
}
HISTORY_FIELDS = [
    *("name", "description", "color", "archivedAt", "deletedAt"),
    *("member", "invitation"),
]
PROJECT_LINKS = ["GetProject", "UpdateProject", "DeleteProject", "ListMembers"]
FORBIDDEN: dict[int, str | None] = {403: "ProjectForbidden"}
CONDITIONAL = FORBIDDEN | {412: "ProjectPreconditionFailed"}
MEMBER_CONDITIONAL = FORBIDDEN | {412: "MemberPreconditionFailed"}
EXPORTED = {
    "projects": [PROJECT | {"deletedAt": None}],
    "memberships": [
        {"projectId": EXAMPLE_ID, "role": "EDITOR", "joinedAt": EXAMPLE_CREATED}
    ],
    "invitations": [INVITATION | {"projectId": EXAMPLE_ID}],
    "labels": [{"id": EXAMPLE_ID, "name": "garden", "color": None}],
}
OPERATIONS = {
    "exportMe": Operation(response=EXPORTED),
    "listProjects": Operation(
        tag="Projects",
        description="All filters must match. Archived projects are listed only when "
        "they are asked for. `If-None-Match` with the `ETag` of the last answer saves "
        "the body.",
        response=page(PROJECT),
        headers=["List-ETag", "Cache-Control", "Vary"],
    ),
    "createProject": Operation(
        tag="Projects",
        description="With an `Idempotency-Key`, the request can be sent again without "
        "making a second project.",
        request=NEW_PROJECT,
        response=PROJECT,
        headers=["Project-Location", "Project-ETag", "Idempotency-Replayed"],
        links=PROJECT_LINKS,
        errors={403: "QuotaExceeded"},
    ),
    "getProject": Operation(
        tag="Projects",
        description="The `ETag` is made of its version and your role.",
        response=PROJECT,
        headers=["Project-ETag", "Cache-Control", "Vary"],
        links=PROJECT_LINKS,
        errors=CONDITIONAL,
    ),
    "updateProject": Operation(
        tag="Projects",
        description="For managers; `archived` is for the owner. An archived project "
        "answers reads and refuses writes (409), and its tasks are in lists only when "
        "they are asked for.",
        request={"name": "Home", "version": 1},
        response=CHANGED,
        headers=["Project-ETag"],
        links=PROJECT_LINKS,
        errors=CONDITIONAL,
    ),
    "deleteProject": Operation(
        tag="Projects", links=["RestoreDeletedProject"], errors=CONDITIONAL
    ),
    "restoreProject": Operation(
        tag="Projects",
        description="Exactly the tasks that went with it come back. The body is "
        "optional; its `version` is a precondition, as If-Match is.",
        request={"version": 2},
        response=PROJECT | {"version": 3, "updatedAt": EXAMPLE_UPDATED},
        headers=["Project-ETag", "Idempotency-Replayed"],
        links=PROJECT_LINKS,
        errors=CONDITIONAL,
    ),
    "listTrashedProjects": Operation(
        tag="Projects",
        description="They stay here for 30 days, unless the operator has set another "
        "time.",
        response=page(TRASHED),
        links=["ListMoreTrashedProjects"],
    ),
    "destroyProject": Operation(tag="Projects", errors=CONDITIONAL),
    "listProjectHistory": Operation(
        tag="Projects",
        description="Who changed the project, who came, left or got another role. For "
        "managers and the owner.",
        response=page(CHANGE),
        links=["ListMoreProjectHistory"],
        errors=FORBIDDEN,
    ),
    "listMembers": Operation(
        tag="Members",
        description="All of them, without their e-mail addresses.",
        response={"items": [MEMBER]},
        errors=FORBIDDEN,
    ),
    "updateMember": Operation(
        tag="Members",
        description="For managers and the owner. It holds for every request that "
        "begins after the answer.",
        request={"role": "EDITOR"},
        response=MEMBER,
        headers=["Content-ETag"],
        errors=MEMBER_CONDITIONAL,
    ),
    "removeMember": Operation(tag="Members", errors=MEMBER_CONDITIONAL),
    "listInvitations": Operation(
        tag="Members",
        description="For managers and the owner.",
        response={"items": [INVITATION]},
        errors=FORBIDDEN,
    ),
    "createInvitation": Operation(
        tag="Members",
        description="For managers and the owner. The token is valid for 7 days, once, "
        "and for whoever has it. The answer does not tell whether the address has an "
        "account. At most 20 an hour for each inviter and 3 a day for each address.",
        request=NEW_INVITATION,
        response=INVITATION,
        headers=["Invitation-Location", "Content-ETag", "Idempotency-Replayed"],
        errors=FORBIDDEN,
    ),
    "withdrawInvitation": Operation(tag="Members", errors=MEMBER_CONDITIONAL),
    "acceptInvitation": Operation(
        tag="Members",
        description="409 for who is a member already; the token stays valid then.",
        request={"token": EXAMPLE_OF_MAIL},
        response=PROJECT | {"role": "EDITOR"},
        headers=["Project-ETag", "Idempotency-Replayed"],
        links=PROJECT_LINKS,
        errors={403: "QuotaExceeded"},
    ),
    "declineInvitation": Operation(
        tag="Members",
        description="Needs no account. With `always`, no invitation is mailed to this "
        "address any more.",
        request={"token": EXAMPLE_OF_MAIL, "always": True},
    ),
}
ERRORS = {
    "ProjectForbidden": ErrorResponse(
        403,
        "The project is not shared with you, or your role does not suffice; or "
        "QUOTA_EXCEEDED: a quota is used up.",
        "This project belongs to somebody else.",
        RATE_LIMIT,
    ),
    "ProjectPreconditionFailed": ErrorResponse(
        412,
        "If-Match, If-None-Match or `version` does not allow it; `error.current` is "
        "the project as it is now.",
        "It has changed; error.current is what it is now.",
        ("Project-ETag", *RATE_LIMIT),
        {"current": CHANGED},
    ),
    "MemberPreconditionFailed": ErrorResponse(
        412,
        "If-Match or If-None-Match does not allow it; `error.current` is what it is "
        "now.",
        "It has changed; error.current is what it is now.",
        ("Content-ETag", *RATE_LIMIT),
        {"current": MEMBER},
    ),
}
ID_PATTERN = "[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"
HEADERS = {
    "Project-Location": header(
        "The path of the created project.", text(f"^/api/projects/{ID_PATTERN}$")
    ),
    "Invitation-Location": header(
        "The path of the invitation, to withdraw it.",
        text(f"^/api/projects/{ID_PATTERN}/invitations/{ID_PATTERN}$"),
    ),
    "Project-ETag": header(
        "The version of the project, and your role in it.",
        text(rf'^"v[1-9]\d*-({"|".join(role.name for role in Role)})"$'),
    ),
}
ID, PATH_ID = "$response.body#/id", "$request.path.id"
CURSOR = "$response.body#/nextCursor"
LINKS = {
    "GetProject": link("getProject", "Reads the project.", id=ID),
    "UpdateProject": link("updateProject", "Changes the project.", id=ID),
    "DeleteProject": link(
        "deleteProject",
        "Deletes this version.",
        id=ID,
        If_Match="$response.header.ETag",
    ),
    "ListMembers": link("listMembers", "Its members.", id=ID),
    "RestoreDeletedProject": link("restoreProject", "Restores it.", id=PATH_ID),
    "ListMoreTrashedProjects": link(
        "listTrashedProjects", "The next page.", cursor=CURSOR
    ),
    "ListMoreProjectHistory": link(
        "listProjectHistory", "The next page.", id=PATH_ID, cursor=CURSOR
    ),
}
FIELDS = {
    "ownerId": "The account whose space it is in.",
    "Project.name": "What it is called.",
    "TrashedProject.name": "What it is called.",
    "CreateProjectRequest.name": "What it is called; spaces around it do not count.",
    "UpdateProjectRequest.name": "What it is called; spaces around it do not count.",
    "Project.description": "More about it; `null` if there is none.",
    "TrashedProject.description": "More about it; `null` if there is none.",
    "CreateProjectRequest.description": "More about it.",
    "UpdateProjectRequest.description": "More about it; `null` clears it.",
    "color": "`#` and six hexadecimal digits; `null` if it has none.",
    "isInbox": "Whether it was made with the account; it stays and is never shared.",
    "Project.role": "Your role in it.",
    "TrashedProject.role": "Your role in it.",
    "Project.position": "Its place among projects: compare them by their bytes.",
    "TrashedProject.position": "Its place among projects.",
    "archivedAt": "When it was archived; `null` if it is not.",
    "archived": "`true` archives it, `false` takes it out of the archive.",
    "UpdateProjectRequest.version": "The expected version: 412 if it has another one.",
    "TrashedProject.deletedAt": "When it was moved to the trash.",
    "userId": "The account.",
    "Member.name": "The name of the account.",
    "Member.role": "What the member may do.",
    "UpdateMemberRequest.role": "What the member may do from now on.",
    "joinedAt": "When the access began.",
    "MemberList.items": "The owner, then the others as they joined.",
    "CreateInvitationRequest.email": "Where the token is mailed to.",
    "Invitation.email": "Where the token was mailed to.",
    "CreateInvitationRequest.role": "What the new member may do.",
    "Invitation.role": "What the new member may do.",
    "invitedById": "Who invites.",
    "expiresAt": "When the token becomes invalid.",
    "InvitationList.items": "The open invitations, the oldest first.",
    "AcceptInvitationRequest.token": "The token out of the mail.",
    "DeclineInvitationRequest.token": "The token out of the mail.",
    "deleteShared": "Whether to erase the account although others are members of its "
    "projects; these are deleted, too.",
    "Export.projects": "The account's own, also those in the trash.",
    "Export.memberships": "Its access to projects of others.",
    "Export.invitations": "Those that it sent.",
    "Export.labels": "The labels of its space.",
    "ExportedProject.name": "What it is called.",
    "ExportedProject.description": "More about it; `null` if there is none.",
    "ExportedProject.role": "Always `OWNER`.",
    "ExportedProject.position": "Its place among projects.",
    "ExportedProject.deletedAt": "When it was moved to the trash; `null` if it is not.",
    "ExportedMembership.role": "What the account may do there.",
    "ExportedInvitation.email": "Where the token was mailed to.",
    "ExportedInvitation.role": "What the new member may do.",
    "ExportedLabel.name": "What it is called.",
    "always": "Whether no invitation shall be mailed to this address any more.",
    "ProjectChange.changes": "What changed: fields of the project, `member` and "
    f"`invitation`. Fields are {known_values(HISTORY_FIELDS)}",
}


def extended(schema: dict[str, Any], **properties: Any) -> dict[str, Any]:
    return schema | object_of(**schema["properties"], **properties)


def schemas(known: dict[str, Any]) -> dict[str, Any]:
    projects = extended(known["Project"], deletedAt=NULLABLE_UTC)
    return {
        "Export": object_of(
            projects=array_of(ref("schemas", "ExportedProject")),
            memberships=array_of(ref("schemas", "ExportedMembership")),
            invitations=array_of(ref("schemas", "ExportedInvitation")),
            labels=array_of(ref("schemas", "ExportedLabel")),
        ),
        "ExportedProject": projects,
        "ExportedMembership": object_of(
            projectId=UUID, role=ref("schemas", "MemberRole"), joinedAt=UTC
        ),
        "ExportedInvitation": extended(known["Invitation"], projectId=UUID),
        "ExportedLabel": object_of(
            id=UUID, name=text(), color={"type": ["string", "null"]}
        ),
        "ProjectRole": {"type": "string", "enum": [role.name for role in Role]},
        "MemberRole": {"type": "string", "enum": MEMBER_ROLES},
    }
