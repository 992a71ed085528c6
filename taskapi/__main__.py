"""`python3 -m taskapi`: runs on any Python 3, so that an old one gets a sentence."""

import os
import sys

if sys.version_info < (3, 11):  # noqa: UP036 - it is the older ones that must read this
    version = ".".join(map(str, sys.version_info[:3]))
    sys.exit("taskapi: Python 3.11 or newer is needed; this is " + version)
if os.name != "posix":
    sys.exit("taskapi: Linux or macOS is needed (on Windows: WSL or a container)")

from taskapi.bootstrap.commands import main

main(sys.argv[1:])
