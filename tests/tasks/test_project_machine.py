"""Any sequence of calls by three users who share projects, against a plain model."""

from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import rule, run_state_machine_as_test

from tasks.models import Label, Task
from tests.tasks.model import Wire
from tests.tasks.project_model import MANAGER, OWNER, ROLES, VIEWER, Changes, Faults
from tests.tasks.shared_world import SharedWorld, members, people, picks

MAX_PROJECTS = 6
SET_BY_SERVER = {"version", "updatedAt", "position", "completedAt"}
maybe = st.none() | picks
rarely = st.sampled_from([False, False, False, True])
roles = st.sampled_from(["VIEWER", "EDITOR", "MANAGER"])
label_sets = st.sets(st.sampled_from(["blue", "green", "red"])).map(sorted)
fields = st.fixed_dictionaries(
    {},
    optional={
        "title": st.sampled_from(["alpha", "beta"]),
        "status": st.sampled_from(["TODO", "DONE"]),
        "labels": label_sets,
    },
)
places = st.fixed_dictionaries(
    {},
    optional={
        "projectId": picks,
        "parentId": maybe,
        "before": picks,
        "after": picks,
    },
).filter(lambda place: not {"before", "after"} <= place.keys())


class ProjectMachine(SharedWorld):
    # -- projects and members

    @rule(who=members)
    def create_project(self, who: int) -> None:
        if len(self.model.projects) < 3 + MAX_PROJECTS:
            self.make_project(who)

    @rule(who=members, pick=picks, role=roles)
    def join(self, who: int, pick: int, role: str) -> None:
        project = self.project(pick, inboxes=False)
        about = self.model.projects[project]
        is_open = not about.is_archived and not about.is_trashed
        if is_open and not self.model.role(self.users[who], project):
            self.let_in(project, who, ROLES[role])

    def managing(self, who: int, project: str, needed: int = MANAGER) -> Faults:
        about = self.model.projects[project]
        faults = {404} if about.is_trashed else set()
        if self.model.role(self.users[who], project) < needed:
            faults |= {403}
        return faults

    def meeting(self, project: str, member: str) -> Faults:
        """Of who is to be a member, and no owner."""
        about = self.model.projects[project]
        faults = {409} if about.owner == member else set()
        return faults | (set() if member in about.members else {404} - faults)

    @rule(who=people, pick=picks, member=members, role=roles)
    def set_role(self, who: int, pick: int, member: int, role: str) -> None:
        project, user = self.project(pick, inboxes=False), self.users[member]
        who = self.person(who, project)
        about = self.model.projects[project]
        faults = self.managing(who, project) | self.meeting(project, user)
        faults |= {409} if about.is_archived else set()
        path = f"/projects/{project}/members/{user}"
        if self.is_done(self.call(who, "patch", path, {"role": role}), faults):
            about.members[user] = ROLES[role]

    @rule(who=people, pick=picks, member=members)
    def remove(self, who: int, pick: int, member: int) -> None:
        project, user = self.project(pick, inboxes=False), self.users[member]
        who = self.person(who, project)
        about = self.model.projects[project]
        needed = VIEWER if who == member else MANAGER
        faults = self.managing(who, project, needed) | self.meeting(project, user)
        faults |= {409} if about.is_archived and who != member else set()
        path = f"/projects/{project}/members/{user}"
        if self.is_done(self.call(who, "delete", path), faults):
            self.settle(self.model.unassignment(project, user))
            del about.members[user]

    @rule(who=people, pick=picks, is_archived=st.booleans())
    def archive(self, who: int, pick: int, is_archived: bool) -> None:
        project = self.project(pick, inboxes=False)
        who = self.person(who, project)
        about = self.model.projects[project]
        needed = OWNER if is_archived != about.is_archived else MANAGER
        body = {"archived": is_archived}
        response = self.call(who, "patch", f"/projects/{project}", body)
        if self.is_done(response, self.managing(who, project, needed)):
            about.is_archived = is_archived

    @rule(who=people, pick=picks, is_wrong=rarely)
    def delete_or_restore_project(self, who: int, pick: int, is_wrong: bool) -> None:
        project = self.project(pick, inboxes=False)
        who, about = self.person(who, project), self.model.projects[project]
        faults = set() if about.owner == self.users[who] else {403}
        faults |= {404} if is_wrong else set()
        if about.is_trashed == is_wrong:
            response = self.call(who, "delete", f"/projects/{project}")
        else:
            response = self.call(who, "post", f"/projects/{project}/restore")
        if self.is_done(response, faults):
            about.is_trashed = not about.is_trashed

    # -- tasks

    @rule(who=people, pick=picks, parent=maybe, values=fields, assignee=maybe)
    def create(
        self, who: int, pick: int, parent: int | None, values: Wire, assignee: Any
    ) -> None:
        project = self.project(pick)
        who = self.person(who, project)
        user = self.users[who]
        body = {"title": "new", "projectId": project} | values
        faults = self.model.targeting(user, project)
        if parent is not None:
            body["parentId"] = self.task(parent, project)
            faults |= self.model.nesting(user, None, project, body["parentId"])
        if assignee is not None:
            body["assigneeId"] = self.users[assignee % 3]
            faults |= self.model.assigning(project, body["assigneeId"])
        if faults:
            self.is_done(self.call(who, "post", "/tasks", body), faults)
            return
        task = self.make_task(who, body)
        made = self.model.tasks[task]
        owner = self.model.projects[project].owner
        expected = body | {"userId": owner, "createdById": user, "version": 1}
        assert made | expected == made

    @rule(who=people, pick=picks, values=fields, assignee=maybe)
    def patch(self, who: int, pick: int, values: Wire, assignee: Any) -> None:
        task = self.task(pick)
        who = self.person_for(who, task)
        user = self.users[who]
        faults = self.model.writing(user, task)
        if assignee is not None:
            project = self.model.tasks[task]["projectId"]
            values = values | {"assigneeId": [None, *self.users][assignee % 4]}
            faults |= self.model.assigning(project, values["assigneeId"])
        response = self.call(who, "patch", f"/tasks/{task}", values)
        if self.is_done(response, faults):
            before = self.model.tasks[task]
            changed = {k: v for k, v in values.items() if before[k] != v}
            self.settle({task: changed} if changed else {})
            assert response.json() == self.model.tasks[task]

    @rule(who=people, pick=picks, place=places)
    def move(self, who: int, pick: int, place: Wire) -> None:
        task, model = self.task(pick), self.model
        who = self.person_for(who, task)
        user, place = self.users[who], self.resolve(task, place)
        before = model.tasks[task]
        project = place.get("projectId", before["projectId"])
        is_elsewhere = project != before["projectId"]
        parent = place.get("parentId", None if is_elsewhere else before["parentId"])
        there = {"projectId": project, "parentId": parent}
        faults = model.writing(user, task) | model.moving(user, task, there)
        if anchor := place.get("before") or place.get("after"):
            faults |= model.placing(user, task, anchor, there)
        response = self.call(who, "post", f"/tasks/{task}/move", place)
        if self.is_done(response, faults):
            changes = model.relocation(task, there)
            self.settle_move(task, changes, place)

    def settle_move(self, task: str, changes: Changes, place: Wire) -> None:
        """Also that the task is where it was put."""
        anchor = place.get("before") or place.get("after")
        stored = Task.objects.get(pk=task)
        if (
            anchor
            and not changes
            and stored.version > self.model.tasks[task]["version"]
        ):
            changes = {task: {}}
        self.settle(changes, moved={task})
        about = self.model.tasks[task]
        order = self.model.children(about["parentId"], about["projectId"])
        at = order.index(task)
        if anchor:
            assert order[at + 1 if "before" in place else at - 1] == anchor
        elif changes:
            assert at == len(order) - 1

    def resolve(self, task: str, place: Wire) -> Wire:
        """Ids for picks: of projects of any space, of tasks mostly where they fit."""
        found = Wire()
        project = self.model.tasks[task]["projectId"]
        for name, pick in sorted(place.items(), reverse=True):
            if name == "projectId":
                project = found[name] = self.project(pick)
            else:
                found[name] = None if pick is None else self.task(pick, project)
        return found

    @rule(who=people, pick=picks, is_wrong=rarely)
    def delete_or_restore(self, who: int, pick: int, is_wrong: bool) -> None:
        task = self.task(pick) if pick % 2 else self.trashed(pick)
        who = self.person_for(who, task)
        if (task in self.model.trash) == is_wrong:
            self.delete(who, task)
        else:
            self.restore(who, task)

    def restore(self, who: int, task: str) -> None:
        response = self.call(who, "post", f"/tasks/{task}/restore")
        faults = self.model.writing(self.users[who], task, is_trashed=True)
        if self.is_done(response, faults):
            changes = self.model.restoration(task)
            left = {k: v for k, v in self.model.trash.items() if k not in changes}
            moved = {pk for pk in changes if changes[pk] or self.model.is_taken(pk)}
            self.settle(changes, moved=moved, trash=left)

    @rule(who=people, pick=picks)
    def destroy(self, who: int, pick: int) -> None:
        task, model = self.trashed(pick), self.model
        who = self.person_for(who, task)
        user = self.users[who]
        faults = set() if task in model.trash else {404}
        if not faults:
            faults = model.seeing(user, task)
            faults |= {403} if model.role_for(user, task) < OWNER else set()
        if self.is_done(self.call(who, "delete", f"/tasks/trash/{task}"), faults):
            self.settle({}, gone=[task, *model.gone_with(task)])

    @rule(who=people, pick=picks, into=picks)
    def copy(self, who: int, pick: int, into: int) -> None:
        task, model = self.task(pick), self.model
        who = self.person_for(who, task)
        user = self.users[who]
        project = self.project(into)
        faults = model.reading(user, task) | model.targeting(user, project)
        if len(model.tasks) > 25 and not faults:
            return
        body = {"projectId": project}
        response = self.call(who, "post", f"/tasks/{task}/copy", body)
        if self.is_done(response, faults):
            copied = [task, *model.descendants(task)]
            added = self.settle({}, new=len(copied))
            for pk in sorted(added, key=lambda pk: model.tasks[pk]["position"]):
                self.order[pk] = len(self.order)
            assert response.json() == model.tasks[response.json()["id"]]
            assert self.shape(response.json()["id"], project) == self.shape(
                task, project
            )

    def shape(self, task: str, project: str) -> Any:
        """What a task and those below it are, but for where and since when."""
        about = self.model.tasks[task]
        assignee = about["assigneeId"]
        kept = assignee if assignee and self.model.role(assignee, project) else None
        values = [about[name] for name in ("title", "status", "labels")]
        below = self.model.children(task)
        return [*values, kept, [self.shape(pk, project) for pk in below]]

    # -- labels of one's own

    @rule(who=members, pick=picks, to=st.sampled_from(["blue", "green", "red", None]))
    def change_label(self, who: int, pick: int, to: str | None) -> None:
        labels = Label.objects.filter(owner=self.users[who]).order_by("key")
        known = {each.name: each for each in labels}
        if not known:
            return
        name = [*known][pick % len(known)]
        path = f"/labels/{known[name].pk}"
        if to is None:
            response = self.call(who, "delete", path)
        else:
            response = self.call(who, "patch", path, {"name": to})
        is_taken = to in known and to != name
        if self.is_done(response, {409} if is_taken else set()) and to != name:
            self.settle(self.model.relabelling(self.users[who], name, to))


@pytest.mark.django_db
def test_shared_projects_agree_with_their_model() -> None:
    run_state_machine_as_test(
        ProjectMachine,
        settings=settings(stateful_step_count=12, database=None),
    )
