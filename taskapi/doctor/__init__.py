"""What `manage.py doctor` finds out by connecting to all that the server needs."""
