"""What shared projects are, in plain Python: the model that the API is held against.

A refusal is told as the set of statuses that it may have, for a request may have
several faults; an empty set means success.
"""

from dataclasses import dataclass, field

from tests.tasks.model import Wire, ordered

VIEWER, EDITOR, MANAGER, OWNER = 1, 2, 3, 4
ROLES = {"VIEWER": VIEWER, "EDITOR": EDITOR, "MANAGER": MANAGER, "OWNER": OWNER}
MAX_DEPTH = 4
Faults = set[int]
Changes = dict[str, Wire]


@dataclass
class ProjectModel:
    owner: str
    is_archived: bool = False
    is_trashed: bool = False
    members: dict[str, int] = field(default_factory=dict)


@dataclass
class Model:
    """Users and inboxes, projects and tasks by their ids; what of a task went to the
    trash with which task.
    """

    inboxes: dict[str, str]
    projects: dict[str, ProjectModel] = field(default_factory=dict)
    tasks: dict[str, Wire] = field(default_factory=dict)
    trash: dict[str, str | None] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for user, inbox in self.inboxes.items():
            self.projects[inbox] = ProjectModel(user)

    def role(self, user: str, project: str) -> int:
        found = self.projects[project]
        return OWNER if found.owner == user else found.members.get(user, 0)

    def project_of(self, task: str) -> ProjectModel:
        return self.projects[self.tasks[task]["projectId"]]

    # -- who may what

    def seeing(self, user: str, task: str) -> Faults:
        project, role = self.project_of(task), self.role_for(user, task)
        if not role:
            return {403}
        is_with_project = task not in self.trash or role < OWNER
        return {404} if project.is_trashed and is_with_project else set()

    def naming(self, user: str, task: str) -> Faults:
        """Of a task that a body names."""
        return {400 if each == 404 else each for each in self.seeing(user, task)}

    def role_for(self, user: str, task: str) -> int:
        return self.role(user, self.tasks[task]["projectId"])

    def reading(self, user: str, task: str) -> Faults:
        return {404} if task in self.trash else self.seeing(user, task)

    def writing(self, user: str, task: str, *, is_trashed: bool = False) -> Faults:
        if (task in self.trash) != is_trashed:
            return {404}
        if faults := self.seeing(user, task):
            return faults
        if self.role_for(user, task) < EDITOR:
            return {403}
        return {409} if self.project_of(task).is_archived else set()

    def targeting(self, user: str, project: str) -> Faults:
        found, role = self.projects[project], self.role(user, project)
        if found.is_trashed and role:
            return {400}
        if role < EDITOR:
            return {403}
        return {409} if found.is_archived else set()

    def nesting(self, user: str, task: str | None, project: str, parent: str) -> Faults:
        """Of making the task, or a new one, a child of that parent."""
        faults = self.naming(user, parent)
        about = self.tasks[parent]
        if parent in self.trash or about["projectId"] != project:
            return faults | {400}
        line = self.line(parent)
        height = self.height(task) if task else 1
        if (task and task in line) or len(line) + height > MAX_DEPTH:
            faults |= {400}
        return faults

    def moving(self, user: str, task: str, place: Wire) -> Faults:
        before, faults = self.tasks[task], Faults()
        project, parent = place["projectId"], place["parentId"]
        if project != before["projectId"]:
            faults |= self.targeting(user, project)
            is_same_space = self.projects[project].owner == before["userId"]
            faults |= set() if is_same_space else {409}
        if parent and place != {name: before[name] for name in place}:
            faults |= self.nesting(user, task, project, parent)
        return faults

    def placing(self, user: str, task: str, anchor: str, place: Wire) -> Faults:
        """Of putting the task beside another, in that project and below that parent."""
        found = {name: self.tasks[anchor][name] for name in place}
        is_wrong = anchor in self.trash or anchor == task or found != place
        return self.naming(user, anchor) | ({400} if is_wrong else set())

    def assigning(self, project: str, user: str | None) -> Faults:
        return set() if not user or self.role(user, project) else {400}

    # -- trees

    def children(self, task: str | None, project: str | None = None) -> list[str]:
        """The live ones in order; those of no parent, of one project."""
        found = [
            (each["position"], pk)
            for pk, each in self.tasks.items()
            if each["parentId"] == task and pk not in self.trash
            if project is None or each["projectId"] == project
        ]
        return [pk for _, pk in sorted(found)]

    def is_taken(self, task: str) -> bool:
        """Whether a live task beside it has its position."""
        about = self.tasks[task]
        beside = self.children(about["parentId"], about["projectId"])
        places = [self.tasks[pk]["position"] for pk in beside if pk != task]
        return about["position"] in places

    def descendants(self, task: str) -> list[str]:
        below = self.children(task)
        return below + [pk for each in below for pk in self.descendants(each)]

    def line(self, task: str) -> list[str]:
        """The task, its parent, and so on."""
        found = [task]
        while (parent := self.tasks[found[-1]]["parentId"]) in self.tasks:
            found.append(parent)
        return found

    def height(self, task: str) -> int:
        return 1 + max((self.height(each) for each in self.children(task)), default=0)

    # -- what writes do besides what they say

    def entering(self, task: str, project: str) -> Wire:
        assignee = self.tasks[task]["assigneeId"]
        keeps = not assignee or self.role(assignee, project)
        return {"projectId": project} | ({} if keeps else {"assigneeId": None})

    def relocation(self, task: str, place: Wire) -> Changes:
        before, project = self.tasks[task], place["projectId"]
        if place == {name: before[name] for name in place}:
            return {}
        changes: Changes = {task: {"parentId": place["parentId"]}}
        if project != before["projectId"]:
            changes |= {pk: {} for pk in self.descendants(task)}
            for each in changes:
                changes[each] |= self.entering(each, project)
        return changes

    def deletion(self, task: str) -> Changes:
        return {each: {} for each in [task, *self.descendants(task)]}

    def restoration(self, task: str) -> Changes:
        root = self.trash[task] or task
        changes: Changes = {}
        level = [task]
        while level:
            for each in level:
                changes[each] = self.restored(each, changes)
            level = [
                pk
                for pk, together in self.trash.items()
                if together == root and self.tasks[pk]["parentId"] in level
            ]
        return changes

    def gone_with(self, task: str) -> list[str]:
        """What went to the trash with the task, and below it."""
        root = self.trash[task] or task
        below = [
            pk
            for pk, together in self.trash.items()
            if together == root and self.tasks[pk]["parentId"] == task
        ]
        return below + [pk for each in below for pk in self.gone_with(each)]

    def restored(self, task: str, changes: Changes) -> Wire:
        about = self.tasks[task]
        project, found = about["projectId"], Wire()
        if self.projects[project].is_trashed:
            project = self.inboxes[about["userId"]]
            found = self.entering(task, project)
        parent = about["parentId"]
        if parent and not self.fits(parent, project, changes):
            found["parentId"] = None
        return found

    def fits(self, parent: str | None, project: str, changes: Changes) -> bool:
        """Whether a task that comes back has a place below its parent."""
        levels = 0
        while parent:
            is_back = parent in changes or parent not in self.trash
            about = self.tasks.get(parent, {}) | changes.get(parent, {})
            if not about or (not levels and not is_back):
                return False
            if not levels and about["projectId"] != project:
                return False
            levels, parent = levels + 1, about["parentId"]
        return levels < MAX_DEPTH

    def unassignment(self, project: str, user: str) -> Changes:
        return {
            pk: {"assigneeId": None}
            for pk, each in self.tasks.items()
            if each["projectId"] == project and each["assigneeId"] == user
        }

    def relabelling(self, owner: str, name: str, to: str | None) -> Changes:
        return {
            pk: {"labels": sorted({*each["labels"], to} - {name, None})}
            for pk, each in self.tasks.items()
            if each["userId"] == owner and name in each["labels"]
        }

    # -- lists

    def listed(self, user: str, query: Wire) -> list[Wire]:
        found = [
            each
            for pk, each in self.tasks.items()
            if not self.reading(user, pk) and self.matches(user, each, query)
        ]
        return ordered(found, query.get("sort", "-createdAt"))

    def matches(self, user: str, task: Wire, query: Wire) -> bool:
        project = self.projects[task["projectId"]]
        archived = query.get("archived", "all" if "project" in query else "false")
        tests = {
            "project": lambda v: task["projectId"] == v,
            "scope": lambda v: v == "all" or (v == "own") == (task["userId"] == user),
            "parent": lambda v: (task["parentId"] or "none") == v,
            "label": lambda v: v in task["labels"],
            "assignee": lambda v: task["assigneeId"] == (user if v == "me" else None),
        }
        is_wanted = archived == "all" or (archived == "true") == project.is_archived
        return is_wanted and all(
            tests[name](value) for name, value in query.items() if name in tests
        )
