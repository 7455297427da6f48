"""A command that is killed leaves no copy of its memory, which holds keys and weights.

What ends a process with a dump (Ctrl-\\, a fault in compiled code, a library that aborts) writes it
to the working directory, often a deal folder, or hands it to a collector of the system. A limit of
0 bytes stops the first only; of 1 byte, which Linux reserves for this, both.
"""

import resource

_NONE_AT_ALL = 1


def forbid_core_dumps() -> None:
    """From here on, for this process and those that it starts."""
    _, most = resource.getrlimit(resource.RLIMIT_CORE)
    resource.setrlimit(resource.RLIMIT_CORE, (0 if most == 0 else _NONE_AT_ALL, most))
