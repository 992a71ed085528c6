"""Text compared without regard to case or composition, whatever the database's locale.

`fold` is the key of a text. PostgreSQL has it as the function `tasks_fold`, made by
migration 0006 of `tasks`; SQLite calls the function below.
"""

import unicodedata
from typing import Any

from django.core.validators import RegexValidator
from django.db import connection
from django.db.models import BooleanField, CharField, Func, TextField, Value

# ASCII, so that "the same but for case" means the same in Python and each database.
ascii_only = RegexValidator(
    r"^[\x00-\x7f]*$", "Write the address in ASCII (xn-- for other domains).", "ascii"
)


def fold(text: str | None) -> str | None:
    """The Unicode case folding of the text in NFC; `ß` becomes `ss`."""
    if text is None or text.isascii():
        return text and text.lower()
    folded = unicodedata.normalize("NFC", text).casefold()
    return unicodedata.normalize("NFC", folded)


def register_functions(connection: Any, **options: Any) -> None:
    """Give a new connection to SQLite what PostgreSQL has from its migration."""
    if connection.vendor == "sqlite":
        create = connection.connection.create_function
        create("tasks_fold", 1, fold, deterministic=True)


def literal(text: Any) -> Any:
    """A text, or an expression as it is: Django takes a `str` for a field's name."""
    return Value(text) if isinstance(text, str) else text


class Fold(Func):
    """The key of a text, in the order of its code points."""

    function = "tasks_fold"
    arity = 1
    output_field = TextField()
    collated = '(%(function)s(%(expressions)s) COLLATE "C")'

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, template=self.collated)

    @classmethod
    def sql(cls, text: str) -> str:
        """The key of this SQL expression, as the querysets write it."""
        is_postgresql = connection.vendor == "postgresql"
        template = cls.collated if is_postgresql else cls.template
        return template % {"function": cls.function, "expressions": text}


class Contains(Func):
    """Whether the first folded text contains the second, taken literally."""

    function = "INSTR"
    template = "%(function)s(%(expressions)s) > 0"
    arity = 2
    output_field = BooleanField()

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        return self.as_sql(compiler, connection, function="STRPOS")


class MayContain(Func):
    """Whether the trigram index finds the second text in the first; `Fold`s of them.

    True wherever `Contains` is; always true on SQLite, which has no such index.
    """

    arity = 2
    output_field = BooleanField()

    def as_sqlite(self, compiler: Any, connection: Any, **options: Any) -> Any:
        return "1 = 1", []

    def as_postgresql(self, compiler: Any, connection: Any) -> Any:
        # Without the collation of `as_postgresql`: the index is of another expression.
        (text, text_params), (part, part_params) = (
            each.as_sql(compiler, connection) for each in self.source_expressions
        )
        sql = f"tasks_grams({text}) LIKE '%%' || tasks_grams({part}) || '%%'"
        return sql, [*text_params, *part_params]


class BytewiseCharField(CharField):  # type: ignore[type-arg]
    """A text that is compared by its bytes, as SQLite does, in every locale."""

    def db_parameters(self, connection: Any) -> Any:
        parameters = super().db_parameters(connection)
        if connection.vendor == "postgresql":
            parameters["collation"] = "C"
        return parameters
