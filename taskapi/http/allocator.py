"""What glibc's allocator keeps of the memory that a worker frees."""

import ctypes
import os

# malloc.h, mallopt(3)
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD = -1, -3
# Above the buffers of a socket and the pages of an export, which come and go often.
LARGE_BLOCK_BYTES = 512 * 1024
# Of what is free at the end of the heap.
KEPT_BYTES = 4 * 1024 * 1024


def return_large_blocks() -> None:
    """Give each large block back to the kernel as soon as it is freed.

    By default, glibc does so only until the first one is freed: then it raises its
    threshold to up to 32 MiB, and keeps freed bodies in the heap of each thread. What
    an operator sets in the environment takes precedence. Other allocators, such as
    those of musl and macOS, have no `mallopt` and are left alone.
    """
    libc = ctypes.CDLL(None)
    if not is_tuned() and hasattr(libc, "mallopt"):
        libc.mallopt(M_MMAP_THRESHOLD, LARGE_BLOCK_BYTES)
        libc.mallopt(M_TRIM_THRESHOLD, KEPT_BYTES)


def is_tuned() -> bool:
    """Whether the environment tells glibc what to keep (mallopt(3), tunables)."""
    names = {"MALLOC_MMAP_THRESHOLD_", "MALLOC_TRIM_THRESHOLD_"}
    tunables = os.environ.get("GLIBC_TUNABLES", "")
    return "glibc.malloc" in tunables or not names.isdisjoint(os.environ)
