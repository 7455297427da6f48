"""Figure 7 of the paper: Table 1 as curves, from results/table1.csv.

python experiments/figure7.py [DIRECTORY of the table, and for the drawing]
"""

import sys
from pathlib import Path

from curves import draw
from records import RESULTS

if __name__ == "__main__":
    results = Path(sys.argv[1]) if len(sys.argv) > 1 else RESULTS
    panels = [("prove_s", "paper_prove_s", "prover (s)")]
    draw(results / "table1.csv", panels, results / "figure7.png")
