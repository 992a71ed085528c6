from django.contrib.auth.hashers import Argon2PasswordHasher


class BoundedArgon2Hasher(Argon2PasswordHasher):
    """Argon2id at OWASP's 19 MiB: Django's 100 MiB would let eight logins at once take 800 MB."""

    time_cost = 2
    memory_cost = 19 * 1024
    parallelism = 1
