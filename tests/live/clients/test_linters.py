"""What linters say of docs/openapi.yaml: nothing."""

import pytest

from tests.live.clients.tools import Tool

pytestmark = [pytest.mark.full, pytest.mark.live]


def test_redocly_finds_nothing(node_tool: Tool) -> None:
    printed = node_tool(
        "redocly lint --config redocly.yaml --max-problems 20 --format summary"
        " openapi.yaml"
    )

    assert not printed.strip(), printed


def test_spectral_finds_nothing(node_tool: Tool) -> None:
    printed = node_tool(
        "spectral lint --ruleset spectral.yaml --fail-severity hint openapi.yaml"
    )

    assert "No results" in printed
