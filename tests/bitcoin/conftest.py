from collections.abc import Iterator
from pathlib import Path

import pytest
from bitcoin_sale import Sale, open_sale, terms

from bitcoin_scripts.chain.kernel import KernelChain


@pytest.fixture
def sale(tmp_path: Path) -> Iterator[Sale]:
    with KernelChain(tmp_path / "chain") as chain:
        yield open_sale(chain, terms())
