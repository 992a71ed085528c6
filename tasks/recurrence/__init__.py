"""Recurring tasks: rules of RFC 5545, section 3.3.10, in the wall-clock time of a zone.

Nothing here knows a task or a database.
"""
