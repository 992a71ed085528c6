#!/bin/sh
# Run once by the database's image: the API owns its database, and is no superuser.
set -eu
psql --username postgres --set ON_ERROR_STOP=1 \
    --set password="$(cat /run/secrets/database_password)" <<'SQL'
CREATE ROLE taskapi LOGIN PASSWORD :'password';
CREATE DATABASE taskapi OWNER taskapi;
SQL
