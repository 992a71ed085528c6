import pytest
from django.test import Client

from accounts.models import Role, User
from tests.factories import make_user


@pytest.fixture
def root(db: None) -> User:
    return make_user("root", role=Role.ADMIN)


@pytest.fixture
def browser(root: User) -> Client:
    """A browser that is signed in to the admin."""
    browser = Client()
    browser.force_login(root)
    return browser
