"""How requests come in and answers go out: a worker of gunicorn's, made for Django.

`request` reads heads, `response` runs the application and frames what it says,
`connection` holds what one client has sent and has yet to receive, and `worker` says
which thread does what.
"""
