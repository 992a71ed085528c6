#!/usr/bin/env python3
"""The steps of a release to AWS, each a command; the pipeline runs them in turn.

    release.py outputs STACK                 print the stack's outputs, NAME=value
    release.py current                       print what runs now, previous=ARN
    release.py migrate IMAGE                 run the image's migrations
    release.py roll IMAGE                    replace the tasks by the image's
    release.py back ARN                      replace the tasks by an earlier release's

The last four read CLUSTER, SERVICE, FAMILY, SUBNETS and SECURITY_GROUP from the
environment: the stack's outputs. Standard library and the `aws` command only.
"""

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

POLL_SECONDS = 5
MIGRATION_MINUTES = 30
ROLLOUT_MINUTES = 20
# Fields that AWS returns for a task definition but does not accept in a new one.
ANSWERED = {
    "compatibilities",
    "deregisteredAt",
    "registeredAt",
    "registeredBy",
    "requiresAttributes",
    "revision",
    "status",
    "taskDefinitionArn",
}


def aws(*words: str) -> Any:
    command = ["aws", *words, "--output", "json"]
    answer = subprocess.run(command, check=True, stdout=subprocess.PIPE)  # noqa: S603
    return json.loads(answer.stdout or "null")


def outputs(stack: str) -> None:
    described = aws("cloudformation", "describe-stacks", "--stack-name", stack)
    for output in described["Stacks"][0]["Outputs"]:
        print(f"{output['OutputKey']}={output['OutputValue']}")


def current() -> None:
    print(f"previous={service()['taskDefinition']}")


def migrate(image: str) -> None:
    """Migrate in a task of its own; the old release serves on meanwhile."""
    definition = register(os.environ["FAMILY"], image)
    try:
        run(definition)
    except BaseException:
        # Otherwise the nightly run would use this definition, because it is the newest.
        aws("ecs", "deregister-task-definition", "--task-definition", definition)
        raise


def run(definition: str) -> None:
    network = {
        "subnets": os.environ["SUBNETS"].split(","),
        "securityGroups": [os.environ["SECURITY_GROUP"]],
        "assignPublicIp": "DISABLED",
    }
    cluster = os.environ["CLUSTER"]
    started = aws(
        *("ecs", "run-task", "--cluster", cluster, "--launch-type", "FARGATE"),
        *("--task-definition", definition),
        *("--network-configuration", json.dumps({"awsvpcConfiguration": network})),
    )
    if not started["tasks"]:
        sys.exit(f"the task was not started: {started['failures']}")
    name = started["tasks"][0]["taskArn"]
    print(f"migrating in {name}", flush=True)
    for _ in polls(MIGRATION_MINUTES):
        described = aws("ecs", "describe-tasks", "--cluster", cluster, "--tasks", name)
        for task in described["tasks"]:  # may be empty just after the start
            if task["lastStatus"] == "STOPPED":
                return judge(task)
    # The task continues; an operator has to decide whether to stop it.
    sys.exit(f"{name} was not done after {MIGRATION_MINUTES} minutes")


def judge(task: dict[str, Any]) -> None:
    status = task["containers"][0].get("exitCode")
    if status != 0:
        sys.exit(f"the task ended with status {status}: {task.get('stoppedReason')}")


def roll(image: str) -> None:
    """Replace the tasks; every setting stays what it is in the running release."""
    replace(register(service()["taskDefinition"], image))


def replace(definition: str) -> None:
    aws(
        *("ecs", "update-service", "--cluster", os.environ["CLUSTER"]),
        *("--service", os.environ["SERVICE"], "--task-definition", definition),
    )
    print(f"rolling to {definition}", flush=True)
    seen = False  # the description may not contain the new deployment yet
    for _ in polls(ROLLOUT_MINUTES):
        now = service()
        states = [
            deployment["rolloutState"]
            for deployment in now["deployments"]
            if deployment["taskDefinition"] == definition
        ]
        seen = seen or bool(states)
        # `aws ecs wait services-stable` also succeeds if the circuit breaker has rolled
        # the service back to the previous release.
        if "FAILED" in states or (seen and now["taskDefinition"] != definition):
            sys.exit(f"{definition} did not start; the release before it serves on")
        if states == ["COMPLETED"] and len(now["deployments"]) == 1:
            return
    sys.exit(f"{definition} was not stable after {ROLLOUT_MINUTES} minutes")


def register(like: str, image: str) -> str:
    """Register the task definition again, with another image; return its name."""
    found = aws("ecs", "describe-task-definition", "--task-definition", like)
    definition = {
        key: value
        for key, value in found["taskDefinition"].items()
        if key not in ANSWERED
    }
    for container in definition["containerDefinitions"]:
        container["image"] = image
    made = aws(
        "ecs", "register-task-definition", "--cli-input-json", json.dumps(definition)
    )
    return str(made["taskDefinition"]["taskDefinitionArn"])


def service() -> Any:
    cluster, name = os.environ["CLUSTER"], os.environ["SERVICE"]
    described = aws(
        "ecs", "describe-services", "--cluster", cluster, "--services", name
    )
    return described["services"][0]


def polls(minutes: int) -> Iterator[None]:
    deadline = time.monotonic() + minutes * 60
    while time.monotonic() < deadline:
        yield
        time.sleep(POLL_SECONDS)


STEPS: dict[str, Callable[..., None]] = {
    "outputs": outputs,
    "current": current,
    "migrate": migrate,
    "roll": roll,
    "back": replace,
}

if __name__ == "__main__":
    if len(sys.argv) < 2 or sys.argv[1] not in STEPS:
        sys.exit(__doc__)
    STEPS[sys.argv[1]](*sys.argv[2:])
