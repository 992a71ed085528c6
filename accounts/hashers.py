from django.contrib.auth.hashers import Argon2PasswordHasher


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id at OWASP's 19 MiB: at Django's 100 eight logins would take 800 MB."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
