"""How a script ends: what its user can mend is one line on stderr and exit code 2, no traceback.

Scripts call `run_script(main)`. For packages that the project itself does without, `main` asks with
`needed` before it begins anything.
"""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, NoReturn

EXIT_REFUSED = 2


def refuse(text: str) -> NoReturn:
    """One line on stderr, then exit code 2."""
    sys.stderr.write(f"{Path(sys.argv[0]).name}: {' '.join(text.split())}\n")
    raise SystemExit(EXIT_REFUSED)


try:
    from zkcmp.errors import ZkcmpError
except ModuleNotFoundError:
    refuse("zkcmp is not installed for this Python; in the project's directory: pip install .")


def needed(module: str, package: str) -> Any:
    """The module; ends with a line that says how to install its package where it is missing."""
    try:
        return importlib.import_module(module)
    except ImportError as error:
        refuse(f"{error}; pip install {package}")


def run_script(main: Callable[[], object]) -> None:
    """Run a script's `main`."""
    try:
        main()
    except ZkcmpError as error:
        refuse(str(error))
    except OSError as error:
        refuse(f"{error.filename or 'a file'}: {error.strerror or error}")
    except subprocess.CalledProcessError as error:  # which has said why
        refuse(f"stopped: exit code {error.returncode} of {' '.join(map(str, error.cmd))}")
