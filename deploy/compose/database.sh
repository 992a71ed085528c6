#!/bin/sh
# The database's image runs this once. The API owns its database, but is not a superuser.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set password="$(cat /run/secrets/database_password)" <<'SQL'
CREATE ROLE taskapi LOGIN PASSWORD :'password';
CREATE DATABASE taskapi OWNER taskapi;
SQL
