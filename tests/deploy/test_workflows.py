"""What the workflows say, as far as it can be told without running them on GitHub."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml
from django.conf import settings

ROOT = settings.BASE_DIR
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
TEMPLATE = ROOT / "deploy" / "aws" / "template.yaml"


def read(name: str) -> Any:
    text = (GITHUB / "workflows" / f"{name}.yml").read_text()
    # YAML 1.1, PyYAML's, takes the key `on` for true.
    return yaml.safe_load(re.sub(r"(?m)^on:", '"on":', text))


CI, DEPLOY = read("ci"), read("deploy")
STEPS = DEPLOY["jobs"]["deploy"]["steps"]
JOBS = [
    pytest.param(job, id=f"{name}-{key}")
    for name, workflow in (("ci", CI), ("deploy", DEPLOY))
    for key, job in workflow["jobs"].items()
]


def used(step: dict[str, Any]) -> str:
    return str(step.get("uses", "")).partition("@")[0]


def runs(job: str) -> list[str]:
    return [step["run"] for step in CI["jobs"][job]["steps"] if "run" in step]


def step(key: str) -> Any:
    (found,) = [s for s in STEPS if key in (s.get("id"), s.get("name"))]
    return found


def test_workflows_are_these() -> None:
    assert [path.name for path in WORKFLOWS] == ["ci.yml", "deploy.yml"]


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_pinned_by_commit(path: Path) -> None:
    uses = re.findall(r"(?m)^\s*-?\s*uses:\s*(.+)$", path.read_text())
    pins = dict(u.split("@", 1) for u in uses)

    assert uses
    for use in uses:
        assert re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+", use)
        assert pins[use.split("@")[0]] == use.split("@")[1], "two pins of one action"


def test_an_action_has_one_pin_everywhere() -> None:
    uses = {
        use
        for path in WORKFLOWS
        for use in re.findall(r"uses:\s*(\S+)", path.read_text())
    }

    assert len(uses) == len({use.partition("@")[0] for use in uses})


@pytest.mark.parametrize("job", JOBS)
def test_job_is_bounded_and_keeps_no_credentials(job: dict[str, Any]) -> None:
    checkouts = [s for s in job["steps"] if used(s) == "actions/checkout"]

    assert 0 < job["timeout-minutes"] <= 120
    assert checkouts
    assert all(s["with"]["persist-credentials"] is False for s in checkouts)
    for script in (s["run"] for s in job["steps"] if "run" in s):
        # What goes into a script goes there by the environment.
        assert "${{" not in script


def test_rights_are_given_job_by_job() -> None:
    given = {
        key: job["permissions"]
        for workflow in (CI, DEPLOY)
        for key, job in workflow["jobs"].items()
    }

    assert CI["permissions"] == DEPLOY["permissions"] == {}
    assert given == {
        "services": {"contents": "read"},
        "wheels": {"contents": "read"},
        "sqlite": {"contents": "read"},
        "image": {"contents": "read"},
        "deploy": {"contents": "read", "id-token": "write"},
    }


# CI


def test_ci_runs_what_everybody_runs() -> None:
    assert runs("services") == runs("wheels") == ["bash .ci/run"]
    assert (ROOT / ".ci" / "run").is_file()
    assert runs("sqlite") == ["python3 -m taskapi test"]
    assert CI["jobs"]["sqlite"]["steps"][-1]["env"] == {"TASKAPI_TEST_DB": "sqlite"}


def test_make_check_is_what_ci_checks_besides_the_tests() -> None:
    makefile, script = (
        (ROOT / "Makefile").read_text(),
        (ROOT / ".ci" / "run").read_text(),
    )
    steps = set(re.findall(r"(?m)^step '([\w ]+)'", script))

    assert "\ncheck: " in makefile
    assert "\n\t.ci/run check\n" in makefile
    assert steps >= {
        *("format", "lint", "types", "migrations", "deployment", "schema"),
        *("migration lint", "breaking changes"),
    }


def test_ci_covers_every_python_that_is_promised() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    matrix = CI["jobs"]["services"]["strategy"]["matrix"]["python"]
    oldest = project["requires-python"].removeprefix(">=")

    assert matrix == ["3.11", "3.12", "3.13"]
    assert matrix[0] == oldest
    # Where nothing but Python is there, the oldest must do.
    setup = CI["jobs"]["wheels"]["steps"][1]
    assert setup["with"]["python-version"] == oldest


def test_services_are_those_the_tests_are_told_of() -> None:
    job = CI["jobs"]["services"]
    database, cache = job["services"]["postgres"], job["services"]["valkey"]
    made = database["env"]

    assert job["env"]["DATABASE_URL"] == (
        f"postgres://{made['POSTGRES_USER']}:{made['POSTGRES_PASSWORD']}"
        f"@127.0.0.1:5432/{made['POSTGRES_DB']}"
    )
    assert job["env"]["REDIS_URL"] == "redis://127.0.0.1:6379/0"
    assert database["ports"] == ["5432:5432"]
    assert cache["ports"] == ["6379:6379"]
    assert database["image"] == "postgres:18"
    assert all("--health-cmd" in s["options"] for s in job["services"].values())


@pytest.mark.parametrize("job", ["wheels", "sqlite"])
def test_other_jobs_have_no_services(job: str) -> None:
    assert "services" not in CI["jobs"][job]
    assert "env" not in CI["jobs"][job]
    assert "env" not in CI


def test_image_is_built_and_searched_for_vulnerabilities() -> None:
    (scan,) = [
        s
        for s in CI["jobs"]["image"]["steps"]
        if used(s) == "aquasecurity/trivy-action"
    ]

    assert runs("image") == ['docker build --tag "taskapi:$GITHUB_SHA" .']
    assert scan["with"]["image-ref"] == "taskapi:${{ github.sha }}"
    assert scan["with"]["exit-code"] == "1"
    assert "HIGH" in scan["with"]["severity"]


def test_api_is_compared_with_the_last_release_s() -> None:
    # By .ci/run, with all of history; tests/tools/test_breaking_changes.py tries it.
    assert "$python .ci/breaking_changes.py\n" in (ROOT / ".ci" / "run").read_text()
    for job in ("services", "wheels"):
        assert CI["jobs"][job]["steps"][0]["with"]["fetch-depth"] == 0


def test_only_a_pull_request_s_runs_are_given_up() -> None:
    assert CI["on"] == {"push": {"branches": ["main"]}, "pull_request": None}
    assert CI["concurrency"]["cancel-in-progress"] == (
        "${{ github.event_name == 'pull_request' }}"
    )


# Deployment


def test_one_deployment_at_a_time_and_none_is_cut_off() -> None:
    assert DEPLOY["concurrency"] == {"group": "deploy", "cancel-in-progress": False}


def test_deployment_follows_ci_on_main_or_is_started_by_hand() -> None:
    condition = DEPLOY["jobs"]["deploy"]["if"]

    assert DEPLOY["on"].keys() == {"workflow_run", "workflow_dispatch"}
    assert DEPLOY["on"]["workflow_run"]["workflows"] == [CI["name"]]
    assert DEPLOY["on"]["workflow_run"]["branches"] == ["main"]
    for part in (
        "github.ref == 'refs/heads/main'",
        "workflow_run.conclusion == 'success'",
        "workflow_run.event == 'push'",
        "workflow_run.head_repository.full_name == github.repository",
        "workflow_run.head_sha == github.sha",
    ):
        assert part in condition


def test_deployment_has_no_long_lived_keys() -> None:
    text = (GITHUB / "workflows" / "deploy.yml").read_text()
    (login,) = [
        s["with"] for s in STEPS if used(s) == "aws-actions/configure-aws-credentials"
    ]

    assert "secrets." not in text
    assert login["role-to-assume"] == "${{ vars.AWS_DEPLOY_ROLE }}"
    # The role's trust names this environment.
    assert DEPLOY["jobs"]["deploy"]["environment"] == "production"
    assert ":environment:production" in TEMPLATE.read_text()
    assert login["role-duration-seconds"] == 7200
    assert "MaxSessionDuration: 7200" in TEMPLATE.read_text()


def test_deployment_uses_outputs_that_there_are() -> None:
    text = (GITHUB / "workflows" / "deploy.yml").read_text()
    written = TEMPLATE.read_text().partition("\nOutputs:\n")[2]
    stack = set(re.findall(r"(?m)^  (\w+):$", written))
    wanted = re.findall(r"steps\.(\w+)\.outputs\.(\w+)", text)

    assert {name for step, name in wanted if step == "stack"} >= {
        *("Url", "Cluster", "Service", "ManageFamily", "Subnets", "SecurityGroup")
    }
    for key, name in wanted:
        if key == "stack":
            assert name in stack
        else:
            assert f"{name}=" in source(key)


def source(key: str) -> str:
    """Where a step's outputs come from: its script, or the one it runs."""
    script = str(step(key)["run"])
    for path in re.findall(r"deploy/aws/\w+\.py", script):
        script += (ROOT / path).read_text()
    return script


def test_every_step_gives_its_script_what_it_reads() -> None:
    release = (ROOT / "deploy" / "aws" / "release.py").read_text()
    functions = dict(re.findall(r"(?ms)^def (\w+)\((.+?)(?=^def |\Z)", release))
    needed = {
        "migrate": ["migrate", "run"],
        "before": ["current", "service"],
        "roll": ["roll", "replace", "service"],
        "roll back": ["replace", "service"],
    }

    for key, names in needed.items():
        body = "".join(functions[name] for name in names)
        read = set(re.findall(r'environ\["(\w+)"\]', body))
        assert read
        assert read <= step(key)["env"].keys(), key


def test_order_is_push_migrate_roll_smoke_and_back_on_failure() -> None:
    keys = [s.get("id") or s.get("name") for s in STEPS]
    order = ["stack", "image", "migrate", "before", "roll", "smoke"]
    back = step("roll back")

    assert [k for k in keys if k in order] == order
    assert keys[-1] == "roll back"
    assert back["if"] == (
        "${{ !success() && steps.roll.outcome != 'skipped'"
        " && steps.smoke.outcome != 'success' }}"
    )
    assert back["env"]["PREVIOUS"] == "${{ steps.before.outputs.previous }}"
    assert not any(s.get("continue-on-error") for s in STEPS)


def test_scripts_that_are_run_exist() -> None:
    for script in re.findall(r"deploy/aws/\w+\.py", str(DEPLOY)):
        assert (ROOT / script).is_file()


def test_no_host_of_a_registry_is_written_down() -> None:
    texts = [path.read_text() for path in (*WORKFLOWS, TEMPLATE)]

    for text in texts:
        assert not re.search(r"\bdkr\.ecr\b|\bghcr\.io\b|\bdocker\.io\b", text)


# Linters


def linter(name: str) -> str:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    if not (found := shutil.which(name, path=path)):
        pytest.skip(f"{name} is not installed; requirements-deploy.txt has it")
    return found


def test_workflows_fit_their_schema() -> None:
    done = subprocess.run(
        [
            *(linter("check-jsonschema"), "--builtin-schema"),
            *("vendor.github-workflows", *WORKFLOWS),
        ],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_dependabot_s_file_fits_its_schema() -> None:
    done = subprocess.run(
        [
            *(linter("check-jsonschema"), "--builtin-schema"),
            *("vendor.dependabot", GITHUB / "dependabot.yml"),
        ],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(
    ("schema", "files"),
    [
        ("vendor.github-issue-forms", ["bug.yml", "feature.yml"]),
        ("vendor.github-issue-config", ["config.yml"]),
    ],
)
def test_issue_templates_fit_their_schema(schema: str, files: list[str]) -> None:
    paths = [GITHUB / "ISSUE_TEMPLATE" / name for name in files]
    done = subprocess.run(
        [linter("check-jsonschema"), "--builtin-schema", schema, *paths],
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr


def test_zizmor_finds_nothing() -> None:
    done = subprocess.run(
        [linter("zizmor"), "--offline", GITHUB], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
