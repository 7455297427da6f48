"""Where the command starts: an interrupt while modules are loaded is one line as well."""

import sys

from zkcmp.cli.interrupts import keep_interrupts


def main() -> None:
    """Run `zkcmp` with the arguments of the process; does not return."""
    try:
        keep_interrupts()
        from zkcmp.cli import main as commands
    except KeyboardInterrupt:
        sys.stderr.write("\nzkcmp: interrupted before anything was begun\n")
        sys.exit(130)
    commands.main()
