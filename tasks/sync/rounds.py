"""Reads a page of what changed.

What is read is decided by revisions, what is shown by how things are now. What is
written while a round goes on has a later revision, and comes in the next round.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any
from uuid import UUID

from tasks import access
from tasks.access import FollowedProject, Principal
from tasks.sync.select import MAX_PARTS, divide, select
from tasks.sync.stages import (
    OWNER,
    PROJECT,
    STAGES,
    Item,
    Source,
    Stage,
    remove,
    upsert_project,
)
from tasks.sync.state import NO_ID, NOTHING, START, Position, State, Window

OWN, RESTORED, FOLLOWED = range(3)


@dataclass
class Round:
    """A page of a round; once it is read, `state` is what its token says."""

    principal: Principal
    state: State
    limit: int
    items: list[Item] = field(default_factory=list)
    followed: dict[UUID, FollowedProject] = field(default_factory=dict)

    @property
    def room(self) -> int:
        return self.limit - len(self.items)

    @property
    def position(self) -> Position:
        return self.state.position or Position()

    def read(self, now: datetime) -> bool:
        """Whether there is more; SyncExpired."""
        self.state.require_kept(now)
        own_revision, found = access.get_followed(self.principal)
        self.followed = {each.project.pk: each for each in found}
        if self.state.position is None:
            self.begin(own_revision, now)
        if self.remove_lost() and self.read_stages():
            self.state = self.state.finished()
            return False
        return True

    def begin(self, own_revision: int, now: datetime) -> None:
        before, own = self.state.projects, self.state.own
        windows = {
            pk: before.get(pk, START).next(each.revision)
            for pk, each in self.followed.items()
        }
        if self.principal.project_ids is None:
            own = own.next(own_revision)
        self.state = replace(
            self.state,
            started=now,
            own=own,
            projects=before | windows,
            position=Position(),
        )

    def remove_lost(self) -> bool:
        """Whether all projects that cannot be seen any more were taken away: before
        anything else is read, because whoever sees one again has to get all of it.
        """
        lost = sorted(self.state.projects.keys() - self.followed.keys())
        told = lost[: self.room]
        self.items += [remove("project", str(pk)) for pk in told]
        left = self.state.projects.keys() - {*told}
        kept = {pk: self.state.projects[pk] for pk in sorted(left)}
        self.state = replace(self.state, projects=kept)
        return told == lost

    def read_stages(self) -> bool:
        """Whether this was the last page."""
        for index in range(self.position.stage, len(STAGES)):
            stage = STAGES[index]
            if not (self.read_rows(stage) if stage else self.read_followed()):
                return False
            self.state = replace(self.state, position=Position(index + 1))
        return True

    def read_rows(self, stage: Stage) -> bool:
        """Whether the stage has no more."""
        parts = divide(stage, self.sources, self.position)
        room, some = self.room, parts[:MAX_PARTS]
        if not (parts and room):
            return not parts
        rows = select(stage, some, self.position, room + 1)
        for _, number, _, _, *row in rows[:room]:
            if item := stage.show(row, self.sources[number]):
                self.items.append(item)
        if len(rows) > room:
            branch, number, key, revision, *_ = rows[room - 1]
            self.stop_at(branch, self.sources[number], revision, key_number(key))
        elif len(parts) > len(some):
            self.stop_at(parts[MAX_PARTS].branch, parts[MAX_PARTS].sources[0][1])
        return len(rows) <= room and parts == some

    def stop_at(
        self, branch: int, source: Source, revision: int = NOTHING, key: int = 0
    ) -> None:
        place = source.group, source.id, revision, key
        position = Position(self.position.stage, branch, *place)
        self.state = replace(self.state, position=position)

    @cached_property
    def sources(self) -> list[Source]:
        return [each for each in self.all_sources() if not each.window.is_empty]

    def all_sources(self) -> Iterator[Source]:
        own, user_id = self.state.own, self.principal.pk
        yield Source(OWN, NO_ID, OWNER, user_id, own)
        if own.after > NOTHING and not own.is_empty:
            # What is in them was taken away with them, and is older than the window.
            whole = Window(NOTHING, own.after)
            for pk in access.restored_projects(user_id, own.after, own.until):
                yield Source(RESTORED, pk, PROJECT, pk, whole)
        for pk, window in self.state.projects.items():
            yield Source(FOLLOWED, pk, PROJECT, pk, window)

    def read_followed(self) -> bool:
        """Whether all were shown: projects whose rows came with the access to them."""
        for source in self.sources:
            at, window = self.position, source.window
            if source.group != FOLLOWED or source.id <= at.source:
                continue
            found = self.followed[source.id]
            if source.is_new or window.after < found.changed_at <= window.until:
                if not self.room:
                    return False
                self.items.append(upsert_project(found.project, found.role))
                self.stop_at(0, source)
        return True


def key_number(key: Any) -> int:
    return key.int if isinstance(key, UUID) else int(key)
