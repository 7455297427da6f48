"""A command that is killed leaves no copy of its memory, which holds keys and weights.

What ends a process with a dump (Ctrl-\\, a fault in compiled code, a library that aborts) writes it
to the working directory, often a deal folder, or hands it to a collector of the system. A limit of
0 bytes stops the first only; of 1 byte, which Linux reserves for this, both. Where the limit was 0
for good (`ulimit -c 0`), only root (CAP_SYS_RESOURCE) may make it 1: from others a collector, if
the system has one (a pipe in /proc/sys/kernel/core_pattern), goes on getting dumps.
"""

import resource

_NONE_AT_ALL, _NO_FILE = 1, 0


def forbid_core_dumps() -> None:
    """From here on, for this process and those that it starts."""
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (_NONE_AT_ALL, _NONE_AT_ALL))
    except (OSError, ValueError):  # it is 0, and we may not raise it
        resource.setrlimit(resource.RLIMIT_CORE, (_NO_FILE, _NO_FILE))
