"""Sort and search by text without case, the same in every locale of PostgreSQL.

Indexes of expressions, not columns: rows of before and of the previous release are in
them, no row is rewritten and nothing has to be backfilled.
"""

from django.core.management import CommandError
from django.db import migrations

# The first that the server has: builtin since 18, ICU where it was built with it,
# builtin since 17. `lower(upper())` is case folding where there is no `casefold`,
# but for the final sigma, which ICU makes of a sigma that ends a word.
FOLDINGS = {
    "pg_unicode_fast": "casefold(normalize(value, NFC) COLLATE {0})",
    "und-x-icu": (
        "replace(lower(upper(normalize(value, NFC) COLLATE {0}) COLLATE {0}), "
        "'\u03c2', '\u03c3')"
    ),
    "pg_c_utf8": "lower(upper(normalize(value, NFC) COLLATE {0}) COLLATE {0})",
    "default": "lower(upper(normalize(value, NFC)))",
}
# What the default collation of a database has to do, in this alphabet and in ASCII.
IS_ABLE = "SELECT lower(upper('\u041c\u041e\u041b I i')) = '\u043c\u043e\u043b i i'"
UNABLE = (
    "This PostgreSQL has no Unicode case folding: it is older than 17 and built "
    "without ICU, and its database has LC_CTYPE {}. Upgrade it, or use one with ICU, "
    "or restore a dump into a database with LC_CTYPE C.UTF-8. Then migrate again."
)
COLLATIONS = "SELECT collname FROM pg_collation WHERE collname = ANY(%s)"
FOLD = """
CREATE OR REPLACE FUNCTION tasks_fold(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
SELECT CASE WHEN octet_length(value) = char_length(value) THEN lower(value COLLATE "C")
    ELSE normalize({}, NFC) COLLATE "C" END
$function$
"""

# With LC_CTYPE C, pg_trgm skips all but ASCII. So each byte of UTF-8 that continues a
# character becomes a letter or digit, and each first byte nothing. That is ambiguous,
# and what is found is compared once more. Few trigrams are possible, so a batch of
# long random texts stays cheap. Cyrillic and Greek letters all have letters of their
# own. What LIKE would not take literally becomes a space.
CONTINUATION = [*range(0xB0, 0xC0), *range(0x80, 0x90), *range(0x90, 0xB0)]
LEADING = [0xD0, 0xD1, *range(0xC2, 0xD0), *range(0xD2, 0xF5)]
ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"
LATIN1 = "".join(map(chr, [*CONTINUATION, *LEADING]))
LETTERS = "".join(ALPHABET[n % len(ALPHABET)] for n in range(len(CONTINUATION)))
GRAMS = rf"""
CREATE OR REPLACE FUNCTION tasks_grams(value text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $function$
SELECT CASE WHEN octet_length(value) = char_length(value)
    THEN translate(value, '%_\', '   ')
    ELSE translate(convert_from(convert_to(value, 'UTF8'), 'LATIN1'),
        '%_\{LATIN1}', '   {LETTERS}') END
$function$
"""

LIVE, TRASHED = "WHERE deleted_at IS NULL", "WHERE deleted_at IS NOT NULL"
TEXT = "tasks_fold(title || chr(10) || coalesce(description, ''))"
NEW = {
    "task_title_folded": (f'(user_id, (tasks_fold(title) COLLATE "C"), id) {LIVE}'),
    # The trash is searched, too: by the admin.
    "task_text_trigram": f"USING gin (tasks_grams({TEXT}) gin_trgm_ops)",
}
OLD = {
    "task_title": f"(user_id, title, id) {LIVE}",
    "task_title_trigram": f"USING gin (upper(title) gin_trgm_ops) {LIVE}",
    "task_description_trigram": f"USING gin (upper(description) gin_trgm_ops) {LIVE}",
    "task_trash_trigram": f"USING gin (upper(title) gin_trgm_ops) {TRASHED}",
}


def swap(editor, made, dropped):
    for name, definition in made.items():
        # A build that was interrupted leaves an invalid index behind.
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")
        editor.execute(f"CREATE INDEX CONCURRENTLY {name} ON tasks_task {definition}")
    for name in dropped:
        editor.execute(f"DROP INDEX CONCURRENTLY IF EXISTS {name}")


def require_folding(cursor):
    """Refuse a server that would silently find texts in one case only."""
    cursor.execute(IS_ABLE)
    if not cursor.fetchone()[0]:
        cursor.execute(
            "SELECT datctype FROM pg_database WHERE datname = current_database()"
        )
        raise CommandError(UNABLE.format(cursor.fetchone()[0]))


def folding(connection):
    with connection.cursor() as cursor:
        cursor.execute(COLLATIONS, [list(FOLDINGS)])
        present = {name for (name,) in cursor.fetchall()}
        chosen = next(name for name in FOLDINGS if name in present)
        if chosen == "default":
            require_folding(cursor)
    return FOLDINGS[chosen].format(f'"{chosen}"')


def forward(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.execute("DROP INDEX IF EXISTS task_title")
        return
    schema_editor.execute(FOLD.format(folding(schema_editor.connection)))
    # No parameters: it has a percent sign of its own.
    schema_editor.execute(GRAMS, None)
    swap(schema_editor, NEW, OLD)


def backward(apps, schema_editor):
    if schema_editor.connection.vendor != "postgresql":
        schema_editor.execute(
            f"CREATE INDEX task_title ON tasks_task {OLD['task_title']}"
        )
        return
    swap(schema_editor, OLD, NEW)
    for name in ("tasks_grams", "tasks_fold"):
        schema_editor.execute(f"DROP FUNCTION IF EXISTS {name}(text)")


class Migration(migrations.Migration):
    atomic = False  # CONCURRENTLY cannot run in a transaction

    dependencies = [("tasks", "0005_rename_history_and_idempotency")]
    operations = [
        migrations.SeparateDatabaseAndState(
            database_operations=[migrations.RunPython(forward, backward)],
            state_operations=[migrations.RemoveIndex("task", "task_title")],
        )
    ]
