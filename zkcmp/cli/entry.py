"""Where the command starts: an interrupt while modules are loaded is one line as well."""

import sys

from zkcmp.cli.core_dumps import forbid_core_dumps
from zkcmp.cli.interrupts import heeded, keep_interrupts


def main() -> None:
    """Run `zkcmp` with the arguments of the process; does not return."""
    try:
        keep_interrupts()
        forbid_core_dumps()
        from zkcmp.cli import main as commands
    except KeyboardInterrupt:
        heeded()
        sys.stderr.write("\nzkcmp: interrupted before anything was begun\n")
        sys.exit(130)
    commands.main()
