"""The settings of workers that note what they deliver."""

from tests.live.settings import *  # noqa: F403
from tests.live.settings import OUTBOX_HANDLERS

OUTBOX_HANDLERS["probe"] = "tests.outbox.probe.PROBE"
