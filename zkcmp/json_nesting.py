"""Whether a JSON text nests too deeply to be parsed.

Python's parser recurses, and importing py_ecc lifts the guard against a stack that is too deep, so
hostile brackets would end the process.
"""

import re

MAX_NESTING = 8
_BRACKET = re.compile(rb"[\[\]{}]")


def nests_too_deeply(data: bytes) -> bool:
    """Whether brackets go deeper than MAX_NESTING, those inside strings counted too."""
    depth = 0
    for bracket in _BRACKET.finditer(data):
        depth += 1 if bracket[0] in b"[{" else -1
        if depth > MAX_NESTING:
            return True
    return False
