"""What an external wallet is shown: exact amounts, and a QR code of just that text."""

import pytest
import segno

from bitcoin_scripts.payment_uri import payment_uri, terminal_qr


@pytest.mark.parametrize(
    ("amount_sat", "text"),
    [
        (1, "0.00000001"),
        (100_000, "0.00100000"),
        (123_456_789, "1.23456789"),
        (2_100_000_000_000_000, "21000000.00000000"),
    ],
)
def test_amounts_are_exact(amount_sat: int, text: str) -> None:
    assert payment_uri("bcrt1qxyz", amount_sat) == f"bitcoin:bcrt1qxyz?amount={text}"


def test_labels_are_escaped() -> None:
    assert payment_uri("a", 1, "a & b=ü").endswith("&label=a%20%26%20b%3D%C3%BC")


def test_the_qr_code_is_of_the_text() -> None:
    """Read back module by module: two rows of them to a line."""
    text = payment_uri("bcrt1q" + "x" * 56, 100_000, "zkcmp")
    lines = terminal_qr(text).splitlines()
    upper = {" ": 1, "▄": 1, "▀": 0, "█": 0}
    lower = {" ": 1, "▀": 1, "▄": 0, "█": 0}
    rows = [[table[c] for c in line] for line in lines for table in (upper, lower)]
    border = 2
    matrix = [list(row) for row in segno.make_qr(text, error="l").matrix]
    size = len(matrix)
    drawn = [row[border : border + size] for row in rows[border : border + size]]
    assert drawn == matrix
    assert max(map(len, lines)) <= 60
