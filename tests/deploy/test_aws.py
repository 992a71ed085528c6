"""What the CloudFormation template and the application take for granted of each other.

Nothing here talks to AWS; the steps of a release run against a stand-in for `aws`.
"""

import importlib.util
import json
import logging
import os
import re
import runpy
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from secrets import token_urlsafe
from types import ModuleType
from typing import Any
from urllib.error import HTTPError

import dj_database_url
import dj_email_url
import pytest
import yaml
from django.core.cache import cache
from django.core.management import get_commands
from django.test import Client
from pytest_django.live_server_helper import LiveServer

from taskapi.http.logs import JsonFormatter
from taskapi.outbox import heartbeat

ROOT = Path(__file__).resolve().parents[2]
AWS = ROOT / "deploy" / "aws"
TEMPLATE = AWS / "template.yaml"
REQUIRED = {"SECRET_KEY", "JWT_ACCESS_SECRET", "JWT_REFRESH_SECRET", "DATABASE_URL"}
METRICS = {
    "AWS/ApplicationELB": {
        "HTTPCode_ELB_5XX_Count",
        "HTTPCode_Target_5XX_Count",
        "RequestCount",
        "TargetResponseTime",
        "UnHealthyHostCount",
    },
    "AWS/ECS": {"CPUUtilization", "MemoryUtilization"},
    "ECS/ContainerInsights": {"RunningTaskCount"},
    "AWS/RDS": {
        "CPUUtilization",
        "DatabaseConnections",
        "FreeableMemory",
        "FreeStorageSpace",
    },
    "AWS/ElastiCache": {
        "DatabaseMemoryUsagePercentage",
        "EngineCPUUtilization",
        "Evictions",
    },
}


class Loader(yaml.SafeLoader):
    """Reads `!Ref x` as {"Ref": "x"} and `!Name x` as {"Fn::Name": x}."""


def short_form(loader: Loader, name: str, node: yaml.Node) -> dict[str, Any]:
    value: Any
    if isinstance(node, yaml.ScalarNode):
        value = loader.construct_scalar(node)
    elif isinstance(node, yaml.SequenceNode):
        value = loader.construct_sequence(node, deep=True)
    else:
        value = loader.construct_mapping(node, deep=True)  # type: ignore[arg-type]
    if name == "GetAtt" and isinstance(value, str):
        value = value.split(".", 1)
    return {name if name in {"Ref", "Condition"} else f"Fn::{name}": value}


Loader.add_multi_constructor("!", short_form)
STACK = yaml.load(TEMPLATE.read_text(), Loader)
PARAMETERS, RESOURCES = STACK["Parameters"], STACK["Resources"]


def properties(name: str) -> Any:
    return RESOURCES[name]["Properties"]


def of_type(kind: str) -> dict[str, Any]:
    return {n: r["Properties"] for n, r in RESOURCES.items() if r["Type"] == kind}


def default(value: Any) -> Any:
    """A parameter's default, where the value refers to one."""
    return PARAMETERS[value["Ref"]]["Default"] if isinstance(value, dict) else value


def container(task: str) -> Any:
    return properties(task)["ContainerDefinitions"][0]


def environment(task: str) -> dict[str, Any]:
    return {each["Name"]: each["Value"] for each in container(task)["Environment"]}


def secrets(task: str) -> dict[str, Any]:
    either = [each.get("Fn::If", [0, each])[1] for each in container(task)["Secrets"]]
    return {each["Name"]: each["ValueFrom"] for each in either}


def attributes(name: str, key: str) -> dict[str, str]:
    return {each["Key"]: each["Value"] for each in properties(name)[key]}


TASKS = sorted(of_type("AWS::ECS::TaskDefinition"))
ALARMS = of_type("AWS::CloudWatch::Alarm")


@pytest.fixture(scope="module")
def gunicorn() -> dict[str, Any]:
    return runpy.run_path(str(ROOT / "gunicorn.conf.py"))


# The tasks and the application


def variables() -> set[str]:
    """Every variable that the settings or gunicorn's configuration read."""
    files = [ROOT / "taskapi" / "settings" / "__init__.py", ROOT / "gunicorn.conf.py"]
    read = r'\w\(\s*"([A-Z][A-Z_]+)"'
    found = {n for file in files for n in re.findall(read, file.read_text())}
    listed = re.findall(r"(?m)^([A-Z_]+)=", (ROOT / ".env.example").read_text())
    return found & set(listed)


def test_variables_are_found() -> None:
    assert {"SECRET_KEY", "NUM_PROXIES", "WEB_THREADS", "HOST"} | REQUIRED < variables()


@pytest.mark.parametrize("task", TASKS)
def test_every_variable_of_a_task_is_read_by_something(task: str) -> None:
    given = [*environment(task), *secrets(task)]

    assert len(set(given)) == len(given)
    # Gunicorn itself reads this one.
    assert set(given) <= variables()


@pytest.mark.parametrize("task", TASKS)
def test_every_required_variable_is_a_secret(task: str) -> None:
    assert secrets(task).keys() >= REQUIRED | {"REDIS_URL", "EMAIL_URL"}
    assert not environment(task).keys() & {n for n in variables() if "SECRET" in n}


def test_a_task_starts_with_what_it_is_given() -> None:
    given = environment("ApiTaskDefinition") | {
        "ALLOWED_HOSTS": "api.example.com",
        "CORS_ALLOWED_ORIGINS": "",
        "DEFAULT_FROM_EMAIL": "taskapi@example.com",
        "PASSWORD_RESET_URL": "",
        "EMAIL_CHANGE_URL": "",
        "REGISTRATION": "open",
        "DATABASE_URL": resolved("DatabaseUrl"),
        "REDIS_URL": resolved("RedisUrl"),
        "EMAIL_URL": "smtp://user:password@mail.example.com:587/?tls=true",
    }
    keys = {n for n in secrets("ApiTaskDefinition") if n.endswith("SECRET")}
    given |= {name: token_urlsafe(48) for name in keys | {"SECRET_KEY"}}
    # Not manage.py, which would add what a checkout's .env says.
    command = [sys.executable, "-m", "django", "check", "--deploy"]
    done = subprocess.run(
        [*command, "--settings", "taskapi.settings"],
        cwd=ROOT,
        env=given | {"PATH": os.defpath},
        capture_output=True,
        text=True,
    )

    assert set(given) >= environment("ApiTaskDefinition").keys()
    assert all(isinstance(value, str) for value in given.values())
    assert done.returncode == 0, done.stderr


def test_previous_keys_come_with_the_rotation_only() -> None:
    entries = container("ApiTaskDefinition")["Secrets"]
    conditional = {
        each["Fn::If"][1]["Name"]: each["Fn::If"]
        for each in entries
        if "Fn::If" in each
    }

    assert set(conditional) == {
        "JWT_ACCESS_SECRET_PREVIOUS",
        "JWT_REFRESH_SECRET_PREVIOUS",
    }
    for name, (condition, entry, otherwise) in conditional.items():
        assert (condition, otherwise) == ("IsRotating", {"Ref": "AWS::NoValue"})
        key = secrets("ApiTaskDefinition")[name.removesuffix("_PREVIOUS")]["Ref"]
        assert entry["ValueFrom"] == {"Fn::Sub": f"${{{key}}}::AWSPREVIOUS:"}


def test_behind_the_balancer() -> None:
    given = environment("ApiTaskDefinition")

    assert given["NUM_PROXIES"] == "1"
    assert given["ALLOWED_HOSTS"] == {"Ref": "DomainName"}
    assert given["HOST"] == "0.0.0.0"
    # The defaults are the safe ones.
    assert not {"DEBUG", "HTTPS", "PASSWORD_BLOCKLIST"} & given.keys()


@pytest.mark.parametrize("key", ["DjangoSecret", "JwtAccessSecret", "JwtRefreshSecret"])
def test_generated_keys_are_long_enough(key: str) -> None:
    assert properties(key)["GenerateSecretString"]["PasswordLength"] >= 50


def resolved(secret: str) -> str:
    """The URL in a secret, with a password and an address put in."""
    text = properties(secret)["SecretString"]["Fn::Sub"]
    text = re.sub(r"{{resolve:secretsmanager:\${\w+}:SecretString(:\w+)?}}", "pw", text)
    text = re.sub(r"\${\w+\.(PrimaryEndPoint|Endpoint)\.Address}", "db.internal", text)
    return re.sub(r"\${\w+\.(PrimaryEndPoint|Endpoint)\.Port}", "1234", text)


def test_database_url_is_understood() -> None:
    parsed = dj_database_url.parse(resolved("DatabaseUrl"))

    assert parsed["ENGINE"] == "django.db.backends.postgresql"
    assert parsed["PASSWORD"] == "pw"
    assert (parsed["HOST"], parsed["PORT"]) == ("db.internal", 1234)
    assert parsed["USER"] == properties("Database")["MasterUsername"]
    assert parsed["NAME"] == properties("Database")["DBName"]
    assert parsed["OPTIONS"] == {"sslmode": "require"}
    assert properties("DatabaseParameters")["Parameters"]["rds.force_ssl"] == "1"


def test_redis_url_is_encrypted_and_names_the_password() -> None:
    assert resolved("RedisUrl") == "rediss://:pw@db.internal:1234/0"
    assert properties("Cache")["TransitEncryptionEnabled"] is True
    token = "{{resolve:secretsmanager:${CacheToken}:SecretString}}"
    assert properties("Cache")["AuthToken"] == {"Fn::Sub": token}


@pytest.mark.parametrize(
    ("url", "fits"),
    [
        ("smtp://user:password@mail.example.com:587/?tls=true", True),
        ("submission://user:password@mail.example.com", True),
        ("console://", False),
        ("mail.example.com", False),
    ],
)
def test_email_url_is_one_that_sends(url: str, fits: bool) -> None:
    pattern = PARAMETERS["EmailUrl"]["AllowedPattern"]

    assert bool(re.fullmatch(pattern, url)) == fits
    if fits:
        parsed = dj_email_url.parse(url)
        assert parsed["EMAIL_BACKEND"].endswith("smtp.EmailBackend")


def test_every_scheme_of_the_email_url_is_known() -> None:
    pattern = PARAMETERS["EmailUrl"]["AllowedPattern"].replace("\\", "")
    schemes = pattern[1 : pattern.index(")")].split("|")

    assert set(schemes) <= dj_email_url.SCHEMES.keys()


@pytest.mark.parametrize("task", TASKS)
def test_tasks_are_confined(task: str) -> None:
    assert container(task)["ReadonlyRootFilesystem"] is True
    assert container(task)["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert container(task)["LinuxParameters"]["Tmpfs"][0]["ContainerPath"] == "/tmp"
    assert "Policies" not in properties("TaskRole")


@pytest.mark.parametrize("task", TASKS)
def test_user_is_the_image_s_and_not_root(task: str) -> None:
    dockerfile = ROOT / "Dockerfile"
    if not dockerfile.exists():
        pytest.skip("no Dockerfile here")
    users = re.findall(r"(?m)^USER\s+(\S+)", dockerfile.read_text())

    assert users
    assert container(task)["User"].split(":")[0] == users[-1].split(":")[0] != "0"


def test_one_off_commands_exist() -> None:
    command = container("ManageTaskDefinition")["Command"]
    nightly = json.loads(properties("Housekeeping")["Target"]["Input"])
    override = nightly["containerOverrides"][0]

    assert override["name"] == container("ManageTaskDefinition")["Name"]
    for each in (command, override["command"]):
        assert each[:2] == ["python", "manage.py"]
        assert each[2] in get_commands()
    assert command[2] == "migrate"


def test_worker_is_confined_and_knows_what_the_api_does() -> None:
    """What it needs besides the same secrets is what mails are made of."""
    api, worker = properties("ApiTaskDefinition")["ContainerDefinitions"]
    same = ["Image", "User", "ReadonlyRootFilesystem", "Essential", "StopTimeout"]
    given = {each["Name"]: each["Value"] for each in worker["Environment"]}

    assert {name: worker[name] for name in same} == {name: api[name] for name in same}
    assert worker["LinuxParameters"]["Capabilities"] == {"Drop": ["ALL"]}
    assert given.items() <= environment("ApiTaskDefinition").items()
    links = {name for name in variables() if name.endswith("_URL")}
    assert links & environment("ApiTaskDefinition").keys() < given.keys()
    assert worker["Secrets"] == [s for s in api["Secrets"] if "Fn::If" not in s]
    assert worker["LogConfiguration"]["Options"]["awslogs-group"] == {
        "Ref": "ServiceLogs"
    }


def test_worker_s_health_is_its_heartbeat(tmp_path: Path) -> None:
    _, worker = properties("ApiTaskDefinition")["ContainerDefinitions"]
    kind, _, *check = worker["HealthCheck"]["Command"]

    assert worker["Command"][:3] == ["python", "manage.py", "worker"]
    assert worker["Command"][-1] == check[-1]
    assert (kind, check[:2]) == ("CMD", ["-m", "taskapi.outbox.heartbeat"])
    file = str(tmp_path / "heartbeat")
    command = [sys.executable, *check[:-1], file]
    assert subprocess.run(command, cwd=ROOT).returncode == 1
    heartbeat.beat(file)
    assert subprocess.run(command, cwd=ROOT).returncode == 0
    os.utime(file, (0, 0))
    assert subprocess.run(command, cwd=ROOT).returncode == 1


# Health, and the end of a task


@pytest.mark.django_db
def test_balancer_is_told_that_a_task_is_ready(client: Client) -> None:
    """It names the task's address as the host, which is no allowed one."""
    path = properties("Targets")["HealthCheckPath"]
    response = client.get(path, headers={"host": "10.42.16.7:8000"})

    assert path == "/readyz"
    assert response.status_code == 200


@pytest.mark.django_db(transaction=True)
def test_container_asks_itself(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    kind, python, flag, code = container("ApiTaskDefinition")["HealthCheck"]["Command"]
    here = code.replace("http://127.0.0.1:8000", live_server.url)
    monkeypatch.setenv("ALLOWED_HOSTS", "testserver")

    assert (kind, python, flag) == ("CMD", "python", "-c")
    assert "http://127.0.0.1:8000/livez" in code
    exec(here, {})
    with pytest.raises(HTTPError):
        exec(here.replace("/livez", "/nowhere"), {})


def test_ports_agree() -> None:
    port = int(environment("ApiTaskDefinition")["PORT"])
    service = properties("Service")["LoadBalancers"][0]

    assert container("ApiTaskDefinition")["PortMappings"] == [{"ContainerPort": port}]
    assert service["ContainerPort"] == properties("Targets")["Port"] == port
    assert properties("BalancerToTasks")["FromPort"] == port
    assert properties("TaskSecurityGroup")["SecurityGroupIngress"][0]["ToPort"] == port
    assert service["ContainerName"] == container("ApiTaskDefinition")["Name"]


def test_only_http_and_https_are_open_to_the_world() -> None:
    open_ports = {
        (name, rule["FromPort"], rule["ToPort"])
        for name, group in of_type("AWS::EC2::SecurityGroup").items()
        for rule in group.get("SecurityGroupIngress", [])
        if "CidrIp" in rule
    }

    assert open_ports == {
        ("BalancerSecurityGroup", 443, 443),
        ("BalancerSecurityGroup", 80, 80),
    }
    assert all(
        group.get("SecurityGroupEgress")
        for group in of_type("AWS::EC2::SecurityGroup").values()
    )


def test_requests_end_before_their_task_does(gunicorn: dict[str, Any]) -> None:
    graceful = gunicorn["graceful_timeout"]
    drain = int(
        attributes("Targets", "TargetGroupAttributes")[
            "deregistration_delay.timeout_seconds"
        ]
    )

    assert drain >= graceful
    assert graceful < container("ApiTaskDefinition")["StopTimeout"] <= 120


def test_balancer_lets_go_of_a_connection_before_gunicorn_does() -> None:
    keepalive = int(environment("ApiTaskDefinition")["KEEPALIVE_SECONDS"])
    balancer = attributes("Balancer", "LoadBalancerAttributes")

    assert int(balancer["idle_timeout.timeout_seconds"]) < keepalive


def test_gunicorn_takes_these_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    from gunicorn.app.wsgiapp import WSGIApplication

    for name in ("KEEPALIVE_SECONDS", "WEB_CONCURRENCY", "WEB_THREADS", "HOST", "PORT"):
        monkeypatch.setenv(name, environment("ApiTaskDefinition")[name])
    monkeypatch.setenv("REDIS_URL", "rediss://x")
    monkeypatch.chdir(ROOT)
    monkeypatch.setattr(
        sys, "argv", ["gunicorn", "-c", "gunicorn.conf.py", "taskapi.asgi"]
    )
    configured = WSGIApplication(prog="gunicorn").cfg

    assert configured.keepalive == 75
    assert (configured.workers, configured.threads) == (2, 4)
    assert configured.address == [("0.0.0.0", 8000)]


# Size


def test_connections_suffice(gunicorn: dict[str, Any]) -> None:
    given = environment("ApiTaskDefinition")
    of_a_process = int(given["WEB_THREADS"]) + 2
    rollout = properties("Service")["DeploymentConfiguration"]["MaximumPercent"] / 100
    workers = int(given["WEB_CONCURRENCY"])
    tasks = default(properties("ScalableTarget")["MaxCapacity"])
    parameters = properties("DatabaseParameters")["Parameters"]
    one_off, reserved = 2, 10
    most = tasks * rollout * (workers * of_a_process + 1)

    assert most + one_off + reserved <= default(parameters["max_connections"])
    assert f"=  {most:.0f}" in TEMPLATE.read_text()
    assert f" {most + one_off:.0f} of the " in TEMPLATE.read_text()


def test_service_always_has_two_tasks() -> None:
    deployment = properties("Service")["DeploymentConfiguration"]

    assert PARAMETERS["MinTasks"]["MinValue"] == 2
    assert default(properties("ScalableTarget")["MinCapacity"]) >= 2
    assert deployment["MinimumHealthyPercent"] == 100
    assert deployment["DeploymentCircuitBreaker"] == {"Enable": True, "Rollback": True}
    # It would undo what the scaling has decided.
    assert "DesiredCount" not in properties("Service")


def test_data_is_kept() -> None:
    database = properties("Database")

    assert RESOURCES["Database"]["DeletionPolicy"] == "Snapshot"
    assert RESOURCES["Database"]["UpdateReplacePolicy"] == "Snapshot"
    assert database["DeletionProtection"] is database["StorageEncrypted"] is True
    assert database["PubliclyAccessible"] is False
    assert PARAMETERS["BackupDays"]["MinValue"] >= 7


# Alarms and logs


def metrics(alarm: dict[str, Any]) -> Iterator[dict[str, Any]]:
    if "MetricName" in alarm:
        yield alarm
    for each in alarm.get("Metrics", []):
        if "MetricStat" in each:
            yield each["MetricStat"]["Metric"]


@pytest.mark.parametrize("name", sorted(ALARMS))
def test_alarm_is_heard_and_its_metric_exists(name: str) -> None:
    alarm = ALARMS[name]
    found = list(metrics(alarm))

    assert alarm["AlarmActions"] == alarm["OKActions"] == [{"Ref": "AlarmTopic"}]
    assert alarm["AlarmDescription"]
    assert found
    for metric in found:
        if metric["Namespace"] == {"Ref": "AWS::StackName"}:
            ours = properties("ErrorLines")["MetricTransformations"][0]
            assert ours["MetricNamespace"] == metric["Namespace"]
            assert ours["MetricName"] == metric["MetricName"]
        else:
            assert metric["MetricName"] in METRICS[metric["Namespace"]]
            assert metric["Dimensions"]


def test_everything_has_its_alarm() -> None:
    watched = {
        (str(metric["Namespace"]), metric["MetricName"])
        for alarm in ALARMS.values()
        for metric in metrics(alarm)
    }

    assert {(n, m) for n, names in METRICS.items() for m in names} <= watched


def test_dashboard_is_json_of_known_metrics() -> None:
    body = properties("Dashboard")["DashboardBody"]["Fn::Sub"]
    widgets = json.loads(body)["widgets"]
    namespaces = {
        row[0]
        for widget in widgets
        for row in widget["properties"].get("metrics", [])
        if "/" in row[0]
    }

    assert namespaces == METRICS.keys()
    for name in re.findall(r"\${(\w+)[}.]", body):
        assert name in RESOURCES


def test_error_lines_are_found_by_the_formatter_s_own_field() -> None:
    record = logging.LogRecord("x", logging.ERROR, "f", 1, "m", None, None)
    line = json.loads(JsonFormatter().format(record))

    assert line["level"] == "ERROR"
    assert '$.level = "ERROR"' in properties("ErrorLines")["FilterPattern"]
    assert properties("ErrorLines")["LogGroupName"] == {"Ref": "ServiceLogs"}


@pytest.mark.parametrize(
    ("task", "group"),
    [("ApiTaskDefinition", "ServiceLogs"), ("ManageTaskDefinition", "ManageLogs")],
)
def test_logs_are_kept_for_a_while(task: str, group: str) -> None:
    options = container(task)["LogConfiguration"]["Options"]

    assert options["awslogs-group"] == {"Ref": group}
    assert properties(group)["RetentionInDays"] == {"Ref": "LogRetentionDays"}


# Rights


def statements() -> Iterator[tuple[str, dict[str, Any]]]:
    for name, resource in RESOURCES.items():
        policies = [
            each["PolicyDocument"]
            for each in resource.get("Properties", {}).get("Policies", [])
            if isinstance(each, dict)
        ]
        if resource["Type"] == "AWS::IAM::RolePolicy":
            policies.append(resource["Properties"]["PolicyDocument"])
        for policy in policies:
            yield from ((name, statement) for statement in policy["Statement"])


def test_rights_are_narrow() -> None:
    anywhere = set()
    for name, statement in statements():
        actions = statement["Action"]
        actions = [actions] if isinstance(actions, str) else actions
        assert not any("*" in action for action in actions), name
        if statement["Resource"] == "*":
            anywhere |= {(name, action) for action in actions}
        if "iam:PassRole" in actions:
            passed = {"iam:PassedToService": "ecs-tasks.amazonaws.com"}
            assert statement["Condition"] == {"StringEquals": passed}

    # AWS offers no resource for these.
    assert anywhere == {
        ("ExecutionPolicy", "ecr:GetAuthorizationToken"),
        ("DeployRole", "ecr:GetAuthorizationToken"),
        ("DeployRole", "ecs:DeregisterTaskDefinition"),
        ("DeployRole", "ecs:DescribeTaskDefinition"),
        ("DeployRole", "ecs:RegisterTaskDefinition"),
    }


def test_tasks_can_read_the_secrets_they_are_given_and_no_others() -> None:
    readable = [
        {each["Ref"] for each in statement["Resource"]}
        for name, statement in statements()
        if statement["Action"] == "secretsmanager:GetSecretValue"
    ]
    given = {
        value["Ref"]
        for task in TASKS
        for value in secrets(task).values()
        if "Ref" in value
    }

    assert readable == [given]


def test_only_the_one_workflow_may_deploy() -> None:
    trust = properties("DeployRole")["AssumeRolePolicyDocument"]["Statement"][0]
    issuer = "token.actions.githubusercontent.com"
    pattern = PARAMETERS["DeploySubject"]["AllowedPattern"]

    assert trust["Condition"]["StringEquals"] == {
        f"{issuer}:aud": "sts.amazonaws.com",
        f"{issuer}:sub": {"Ref": "DeploySubject"},
    }
    assert re.fullmatch(pattern, "repo:acme/taskapi:environment:production")
    assert not re.fullmatch(pattern, "repo:acme/taskapi:*")
    assert not re.fullmatch(pattern, "repo:acme/*:environment:production")


# The steps of a release


def load(name: str) -> ModuleType:
    spec = importlib.util.spec_from_file_location(name, AWS / f"{name}.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


class Aws:
    """Answers like ECS, about one service and one task, and keeps what it was asked."""

    def __init__(self) -> None:
        self.asked: list[list[str]] = []
        self.running = "api:1"
        self.rollout = ["IN_PROGRESS", "COMPLETED"]
        self.breaks = False
        self.task_states: list[dict[str, Any]] = [
            {"lastStatus": "RUNNING"},
            {"lastStatus": "STOPPED", "containers": [{"exitCode": 0}]},
        ]
        self.failures: list[Any] = []

    def __call__(self, *words: str) -> Any:
        self.asked.append(list(words))
        return getattr(self, words[1].replace("-", "_"))(words)

    def named(self, action: str) -> list[list[str]]:
        return [words for words in self.asked if words[1] == action]

    def option(self, words: Any, name: str) -> Any:
        return words[list(words).index(name) + 1]

    def describe_stacks(self, words: Any) -> Any:
        outputs = [{"OutputKey": "Cluster", "OutputValue": "c"}]
        return {"Stacks": [{"Outputs": outputs}]}

    def describe_task_definition(self, words: Any) -> Any:
        return {
            "taskDefinition": {
                "taskDefinitionArn": self.option(words, "--task-definition"),
                "revision": 1,
                "status": "ACTIVE",
                "family": "api",
                "containerDefinitions": [
                    {"name": name, "image": "old", "user": "1"}
                    for name in ("api", "worker")
                ],
            }
        }

    def register_task_definition(self, words: Any) -> Any:
        return {"taskDefinition": {"taskDefinitionArn": "api:2"}}

    def deregister_task_definition(self, words: Any) -> Any:
        return {}

    def run_task(self, words: Any) -> Any:
        tasks = [] if self.failures else [{"taskArn": "task"}]
        return {"tasks": tasks, "failures": self.failures}

    def describe_tasks(self, words: Any) -> Any:
        return {"tasks": [self.task_states.pop(0)]}

    def update_service(self, words: Any) -> Any:
        self.running = self.option(words, "--task-definition")

    def describe_services(self, words: Any) -> Any:
        if not self.named("update-service"):
            return {"services": [{"taskDefinition": self.running, "deployments": []}]}
        state = self.rollout.pop(0)
        deployments = [{"taskDefinition": self.running, "rolloutState": state}]
        if state != "COMPLETED":
            old = {"taskDefinition": "api:1", "rolloutState": "COMPLETED"}
            deployments.append(old)
        service = {"taskDefinition": self.running, "deployments": deployments}
        if self.breaks:
            self.running = "api:1"
        return {"services": [service]}


@pytest.fixture
def aws() -> Aws:
    return Aws()


@pytest.fixture
def release(aws: Aws, monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    module = load("release")
    monkeypatch.setattr(module, "aws", aws)
    monkeypatch.setattr(module.time, "sleep", lambda seconds: None)
    for name, value in {
        "CLUSTER": "c",
        "SERVICE": "s",
        "FAMILY": "f",
        "SUBNETS": "subnet-1,subnet-2",
        "SECURITY_GROUP": "sg-1",
    }.items():
        monkeypatch.setenv(name, value)
    return module


def test_outputs_are_lines(
    release: ModuleType, capsys: pytest.CaptureFixture[str]
) -> None:
    release.outputs("stack")
    release.current()

    assert capsys.readouterr().out == "Cluster=c\nprevious=api:1\n"


def test_migration_runs_the_new_image_in_the_private_network(
    release: ModuleType, aws: Aws
) -> None:
    release.migrate("new")

    (registered,) = aws.named("register-task-definition")
    definition = json.loads(aws.option(registered, "--cli-input-json"))
    (run,) = aws.named("run-task")
    network = json.loads(aws.option(run, "--network-configuration"))
    assert definition == {
        "family": "api",
        "containerDefinitions": [
            {"name": "api", "image": "new", "user": "1"},
            {"name": "worker", "image": "new", "user": "1"},
        ],
    }
    assert aws.option(run, "--task-definition") == "api:2"
    assert network["awsvpcConfiguration"] == {
        "subnets": ["subnet-1", "subnet-2"],
        "securityGroups": ["sg-1"],
        "assignPublicIp": "DISABLED",
    }
    assert not aws.named("deregister-task-definition")


@pytest.mark.parametrize("container", [{"exitCode": 1}, {"exitCode": 137}, {}])
def test_failed_migration_stops_the_release(
    release: ModuleType, aws: Aws, container: dict[str, int]
) -> None:
    aws.task_states = [{"lastStatus": "STOPPED", "containers": [container]}]

    with pytest.raises(SystemExit, match="ended with status"):
        release.migrate("new")

    (words,) = aws.named("deregister-task-definition")
    assert aws.option(words, "--task-definition") == "api:2"


def test_migration_that_does_not_start_stops_the_release(
    release: ModuleType, aws: Aws
) -> None:
    aws.failures = [{"reason": "no room"}]

    with pytest.raises(SystemExit, match="no room"):
        release.migrate("new")


def test_migration_that_takes_too_long_stops_the_release(
    release: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "MIGRATION_MINUTES", 0)

    with pytest.raises(SystemExit, match="not done"):
        release.migrate("new")


def test_roll_waits_until_the_old_tasks_are_gone(release: ModuleType, aws: Aws) -> None:
    release.roll("new")

    (words,) = aws.named("update-service")
    assert aws.option(words, "--task-definition") == "api:2"
    assert aws.rollout == []


def test_rollout_that_the_circuit_breaker_took_back_has_failed(
    release: ModuleType, aws: Aws
) -> None:
    aws.breaks = True

    with pytest.raises(SystemExit, match="did not start"):
        release.roll("new")


def test_failed_rollout_has_failed(release: ModuleType, aws: Aws) -> None:
    aws.rollout = ["FAILED"]

    with pytest.raises(SystemExit, match="did not start"):
        release.roll("new")


def test_rollout_that_takes_too_long_has_failed(
    release: ModuleType, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(release, "ROLLOUT_MINUTES", 0)

    with pytest.raises(SystemExit, match="not stable"):
        release.roll("new")


def test_back_takes_an_earlier_release_as_it_was(release: ModuleType, aws: Aws) -> None:
    release.replace("api:1")

    (words,) = aws.named("update-service")
    assert aws.option(words, "--task-definition") == "api:1"
    assert not aws.named("register-task-definition")


def test_a_command_of_the_aws_client_that_fails_is_an_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = tmp_path / "aws"
    client.write_text('#!/bin/sh\necho "{\\"got\\": \\"$*\\"}"\nexit "$STATUS"\n')
    client.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    module = load("release")

    monkeypatch.setenv("STATUS", "0")
    assert module.aws("ecs", "x") == {"got": "ecs x --output json"}
    monkeypatch.setenv("STATUS", "1")
    with pytest.raises(subprocess.CalledProcessError):
        module.aws("ecs", "x")


@pytest.mark.django_db(transaction=True)
def test_smoke_test_passes_on_the_api_and_leaves_nothing(
    live_server: LiveServer, capsys: pytest.CaptureFixture[str]
) -> None:
    from accounts.models import User

    load("smoke").main(live_server.url)

    assert "does what it should" in capsys.readouterr().out
    assert not User.objects.exists()
    cache.clear()


@pytest.mark.django_db(transaction=True)
def test_smoke_test_fails_when_the_api_does_and_leaves_nothing(
    live_server: LiveServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from accounts.models import User
    from tasks.queries.list import CompiledTaskList

    smoke = load("smoke")
    monkeypatch.setattr(CompiledTaskList, "rows", lambda *args: [])

    with pytest.raises((SystemExit, OSError)):
        smoke.main(live_server.url)

    assert not User.objects.exists()


# Linters


def test_scripts_run_on_the_oldest_python() -> None:
    wanted = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    minor = int(wanted["requires-python"].removeprefix(">=3."))

    for script in AWS.glob("*.py"):
        compile(script.read_text(), str(script), "exec", _feature_version=minor)
        assert script.stat().st_mode & 0o111, f"{script.name} is not executable"


def test_cfn_lint_has_nothing_to_say() -> None:
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    linter = shutil.which("cfn-lint", path=path)
    if not linter:
        pytest.skip("cfn-lint is not installed; requirements-deploy.txt has it")
    done = subprocess.run(
        [linter, "--template", TEMPLATE], capture_output=True, text=True
    )

    assert done.returncode == 0, done.stdout + done.stderr
