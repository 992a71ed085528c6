"""`manage.py doctor`: connects to all that the server needs, and says what is wrong."""

import json
from dataclasses import asdict
from functools import partial
from typing import Any

from django.core.management.base import BaseCommand, CommandParser

from taskapi.doctor import database, server, services
from taskapi.doctor.findings import Check, Finding, run, worst


class Command(BaseCommand):
    help = (
        "Connect to the database, Redis and the mail server, and check them and the"
        " settings. Exits with 1 if something failed; warnings do not fail."
    )
    # `check_settings` reports them.
    requires_system_checks = ()

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--to", metavar="EMAIL", help="send one mail there")
        parser.add_argument("--json", action="store_true", help="for programs")

    def handle(self, *args: Any, **options: Any) -> None:
        findings = [
            finding
            for name, check in checks(options["to"]).items()
            for finding in run(name, check)
        ]
        if options["json"]:
            self.write_json(findings)
        else:
            self.write_text(findings)
        if worst(findings) == "failed":
            raise SystemExit(1)

    def write_json(self, findings: list[Finding]) -> None:
        report = {"status": worst(findings), "checks": list(map(asdict, findings))}
        self.stdout.write(json.dumps(report, indent=2))

    def write_text(self, findings: list[Finding]) -> None:
        colours = {
            "ok": self.style.SUCCESS,
            "warning": self.style.WARNING,
            "failed": self.style.ERROR,
        }
        for each in findings:
            status = colours[each.status](f"{each.status:7}")
            self.stdout.write(f"{status}  {each.check:11}  {each.message}")
            if each.hint:
                self.stdout.write(f"{'':22}{each.hint}")
        self.stdout.write(f"\ndoctor: {worst(findings)}")


def checks(to: str | None) -> dict[str, Check]:
    return {
        "server": server.check_server,
        "proxies": server.check_proxies,
        "settings": server.check_settings,
        "database": database.check_server,
        "migrations": database.check_migrations,
        "redis": services.check_redis,
        "mail": partial(services.check_mail, to),
    }
