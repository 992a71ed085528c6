import os
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.deploy.image import Image, free_port
from tests.deploy.proxy import Replica


def pytest_configure(config: pytest.Config) -> None:
    config.addinivalue_line("markers", "deploy: runs what is deployed, without engine")


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Image]:
    """What the Dockerfile makes, in a folder that cannot be written to."""
    image = Image.build(
        tmp_path_factory.mktemp("image"),
        own_venv=os.environ.get("TASKAPI_DEPLOY_FULL") == "1",
    )
    yield image
    # Else nobody but root could remove it.
    image.step("chmod -R u+w /app")


@pytest.fixture(scope="session")
def settings_of_a_container(
    image: Image, tmp_path_factory: pytest.TempPathFactory
) -> dict[str, str]:
    """Settings as compose.yaml gives them, and a migrated database."""
    folder: Path = tmp_path_factory.mktemp("container")
    secrets = {
        "SECRET_KEY": os.urandom(40).hex(),
        "JWT_ACCESS_SECRET": os.urandom(40).hex(),
        "JWT_REFRESH_SECRET": os.urandom(40).hex(),
        "DATABASE_URL": f"sqlite:///{folder / 'db.sqlite3'}",
    }
    variables = {"HOST": "127.0.0.1", "NUM_PROXIES": "1", "RATE_LIMIT_AUTH": "3/15m"}
    for name, value in secrets.items():
        # With a line's end, as `openssl rand` and editors write it.
        (folder / name.lower()).write_text(f"{value}\n")
        variables[f"{name}_FILE"] = str(folder / name.lower())
    migrate = ["python", "manage.py", "migrate", "--noinput", "--verbosity=0"]
    assert image.run(migrate, variables).wait(60) == 0
    return variables


@pytest.fixture(scope="module")
def replicas(
    image: Image, settings_of_a_container: dict[str, str]
) -> Iterator[list[Replica]]:
    """Two servers that share one database."""
    with ExitStack() as stack:
        pair = [
            Replica(image, settings_of_a_container | {"PORT": str(free_port())})
            for _ in range(2)
        ]
        for replica in pair:
            replica.start()
            stack.callback(replica.kill)
        for replica in pair:
            replica.wait()
        yield pair
