"""Any sequence of calls by three users who share projects, and who follow changes in
pages of any size meanwhile: each ends with what the lists show.
"""

from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import initialize, rule, run_state_machine_as_test
from rest_framework.test import APIClient

from tasks.models import Comment
from tests.factories import api_of, make_token
from tests.tasks.follower import Follower, shown
from tests.tasks.shared_world import people, picks
from tests.tasks.test_project_machine import ProjectMachine

LIMITS = (1, 3, 100)


class CheckedFollower(Follower):
    """Also checks what it gets against the world at that moment."""

    def __init__(
        self, machine: "SyncMachine", api: APIClient, who: int, limit: int
    ) -> None:
        super().__init__(api, limit)
        self.machine, self.who = machine, who

    def apply(self, item: dict[str, object]) -> None:
        super().apply(item)
        if (item["type"], item["op"]) == ("task", "upsert"):
            model, pk = self.machine.model, str(item["id"])
            assert item["data"] == model.tasks[pk]
            assert not model.reading(self.machine.users[self.who], pk)


class SyncMachine(ProjectMachine):
    @initialize()
    def begin_to_follow(self) -> None:
        self.followers: list[CheckedFollower] = []
        for who, limit in enumerate(LIMITS):
            api = api_of(self.accounts[who])
            self.followers.append(CheckedFollower(self, api, who, limit))

    @rule()
    def follow_with_a_token_for_some_projects(self) -> None:
        if len(self.followers) == len(LIMITS):
            covered = {UUID(self.project(n, inboxes=False)) for n in range(2)}
            _, raw = make_token(self.accounts[0], projects=covered)
            api = APIClient()
            api.credentials(HTTP_AUTHORIZATION=f"Bearer {raw}")
            self.followers.append(CheckedFollower(self, api, 0, 2))

    def lists_and_tasks_agree(self) -> None:
        """Is checked by the machine that this one extends."""

    @rule(number=picks)
    def follow_a_page(self, number: int) -> None:
        self.followers[number % len(self.followers)].page()

    @rule(number=picks)
    def follow_a_round(self, number: int) -> None:
        self.followers[number % len(self.followers)].sync()

    @rule(who=people, pick=picks)
    def comment(self, who: int, pick: int) -> None:
        task = self.task(pick)
        who = self.person_for(who, task)
        path = f"/tasks/{task}/comments"
        response = self.call(who, "post", path, {"text": "Yes."})
        assert response.status_code in {201, 403, 404, 409}, response.content

    @rule(pick=picks, is_deleted=st.booleans())
    def change_comment(self, pick: int, is_deleted: bool) -> None:
        written = Comment.objects.filter(author_id__in=self.users)
        found = [*written.order_by("created_at", "pk")]
        if not found:
            return
        comment = found[pick % len(found)]
        who = self.users.index(str(comment.author_id))
        path = f"/tasks/{comment.task_id}/comments/{comment.pk}"
        if is_deleted:
            response = self.call(who, "delete", path)
        else:
            response = self.call(who, "patch", path, {"text": f"No, {self.steps}"})
        assert response.status_code in {200, 204, 403, 404, 409}, response.content

    def teardown(self) -> None:
        try:
            for each in getattr(self, "followers", []):
                each.sync()
                each.sync()  # what was not part of a round that was on
                is_whole = each.limit in LIMITS
                assert each.copy == shown(each.api, labels=is_whole)
                assert each.sync() == []
        finally:
            super().teardown()


def run(steps: int, examples: int) -> None:
    run_state_machine_as_test(
        SyncMachine,
        settings=settings(
            stateful_step_count=steps, max_examples=examples, database=None
        ),
    )


@pytest.mark.django_db
def test_followers_end_with_what_the_lists_show() -> None:
    run(steps=12, examples=8)


@pytest.mark.full
@pytest.mark.django_db
def test_followers_of_long_stories_end_with_what_the_lists_show() -> None:
    run(steps=50, examples=150)
