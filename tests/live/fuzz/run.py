"""One run of Schemathesis against a server, and what it tells."""

import json
import os
import signal
import subprocess
from collections import Counter
from pathlib import Path
from typing import Any

from tests.factories import PASSWORD
from tests.launcher import death_pact
from tests.live.people import Tokens, make_task, register
from tests.live.server import ROOT, Server

HERE = Path(__file__).parent
PHASES = ["examples", "coverage", "fuzzing", "stateful"]
SIGNING_IN = {
    "endpoint": "/api/auth/login",
    "verb": "POST",
    "contentType": "application/json",
    "token": {
        "extractFrom": "body",
        "extractSelector": "/accessToken",
        "sendIn": "header",
        "sendName": "Authorization",
        "sendTemplate": "Bearer {token}",
    },
}


class Run:
    """Schemathesis as one user; `peer`, who does nothing, asks for what is theirs."""

    def __init__(
        self, server: Server, folder: Path, program: str, *, seconds: int, seed: int
    ) -> None:
        folder.mkdir()
        self.server, self.folder = server, folder
        self.owner, self.peer = register(server), register(server)
        self.theirs = make_task(server, self.peer)
        command = [program, *self.options(seconds, seed)]
        about = {
            "SCHEMATHESIS_HOOKS": "tests.live.fuzz.hooks",
            "TASKAPI_FUZZ_SEEN": str(folder / "seen.json"),
            "TASKAPI_FUZZ_STRANGERS_TASK": self.theirs["id"],
            "TASKAPI_FUZZ_USERS": str(self.users()),
        }
        self.output = folder / "output.txt"
        with self.output.open("w") as output:
            self.process = subprocess.Popen(
                command,
                cwd=ROOT,
                env=os.environ | about,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                preexec_fn=death_pact(signal.SIGKILL),
            )

    def options(self, seconds: int, seed: int) -> list[str]:
        return [
            *["--config-file", str(HERE / "schemathesis.toml")],
            *["run", str(ROOT / "docs" / "openapi.yaml")],
            *["--url", f"http://127.0.0.1:{self.server.port}"],
            *["--checks", "all", "--phases", ",".join(PHASES)],
            *["--max-time", str(seconds), "--seed", str(seed)],
            *["--report", "json", "--report-json-path", str(self.folder / "run.json")],
        ]

    def users(self) -> Path:
        """Who they are and how they sign in, as Web Fuzzing Commons has it."""
        entries = [
            {"name": name, "loginEndpointAuth": SIGNING_IN | {"payloadRaw": proof}}
            for name, proof in {
                "owner": credentials(self.owner),
                "peer": credentials(self.peer),
            }.items()
        ]
        path = self.folder / "users.json"
        path.write_text(json.dumps({"auth": entries}))
        return path

    @property
    def report(self) -> Any:
        return json.loads((self.folder / "run.json").read_text())

    @property
    def seen(self) -> Any:
        return json.loads((self.folder / "seen.json").read_text())

    @property
    def answers(self) -> Counter[tuple[str, int]]:
        """How often each operation answered each status."""
        counted = {tuple(k.split()): n for k, n in self.seen["answers"].items()}
        return Counter({(name, int(code)): n for (name, code), n in counted.items()})

    @property
    def spoilt(self) -> Counter[str]:
        """How many requests were made hostile in which way."""
        return Counter({way: n for way, n in self.seen["spoilt"].items() if way})

    def figures(self) -> str:
        classes = Counter[str]()
        for (_, status), times in self.answers.items():
            classes[f"{status // 100}xx"] += times
        cases, report = self.report["test_cases"], self.report
        return (
            f"seed {report['seed']}: {cases['generated']} cases of"
            f" {report['operations']['tested']} operations in {len(PHASES)} phases and"
            f" {report['running_time']:.0f} s, {cases['unique_failures']} failures,"
            f" {report['filtered']} explained by rules;"
            f" answers: {counted(classes)}; spoilt: {counted(self.spoilt)}"
        )


def credentials(person: Tokens) -> str:
    return json.dumps({"email": person.email, "password": PASSWORD})


def counted(numbers: Counter[str]) -> str:
    return ", ".join(f"{times} {name}" for name, times in sorted(numbers.items()))
