#!/usr/bin/env python3
"""Django's commands, with the variables of `.env` where the environment lacks them."""

import os
import signal
import sys

if sys.argv[1:2] in (["serve"], ["worker"]):
    # Being told to stop is no failure, and may come while Django still loads.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: sys.exit())
if sys.argv[1:2] == ["serve"]:
    from taskapi.http import worker_slots  # before Django loads what counts

    worker_slots.prepare()

from django.core.exceptions import ImproperlyConfigured
from django.core.management import execute_from_command_line

from taskapi import env_file
from taskapi.management import database_errors

if __name__ == "__main__":
    env_file.load()
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "taskapi.settings")
    try:
        execute_from_command_line(sys.argv)
        sys.stdout.flush()  # while a reader who has enough is still expected
    except ImproperlyConfigured as error:
        sys.exit(f"taskapi: {error}")
    except KeyboardInterrupt:
        sys.exit(128 + signal.SIGINT)
    except EOFError:
        sys.exit("taskapi: the input ended before the question was answered")
    except BrokenPipeError:
        # Who reads the output, such as `head`, has enough. Python would flush it again.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(128 + signal.SIGPIPE)
    except database_errors.ERRORS as error:
        if "--traceback" in sys.argv or not database_errors.is_unavailable(error):
            raise
        sys.exit(f"taskapi: {database_errors.describe(error)}")
