"""What each gadget of the `freivalds` statement adds, in closed form: constraints, wires, entries.

The forms themselves are in the files of the gadgets. projections/: image_sums.py (powers, tensors
over images, squares), first_layer.py and moments.py (a first layer over constants), layer_checks.py
(checks of a layer); lookups/: ranges.py. n is the number of images, at least 1.

An input that is 0 in every image, or a product of two inputs that is, takes part in nothing; a
pixel that is 0 in one image has no entry there. `window_shape.Reads` holds the counts that decide.
"""

from collections.abc import Iterable

from circuits.lookups.plan import Demand, Tables, n_lookups, split
from circuits.size import Part
from circuits.window_shape import Reads, WindowShape

MAX_MOMENT_FAN_IN = 256  # beyond, second moments never pay
NOTHING = Part(0, 0, 0)


def powers(n: int) -> Part:
    """1, x, …, x^(n−1) of a challenge."""
    return Part(1, 1, 3) * max(n - 2, 0)


def sum_of_powers(n: int) -> Part:
    """U = Σ_j u^j."""
    return Part(1, 1, n + 2)


def constant_aggregate(reads: Reads) -> Part:
    """x̄_i = Σ_j u^j·x_ji, linear in the powers."""
    return Part(1, 1, 2) * reads.inputs + Part(0, 0, reads.input_entries)


def scaled(size: int, n: int) -> Part:
    """t_ji = u^j·y_ji; the first image's are the y themselves."""
    return Part(1, 1, 3) * (size * (n - 1))


def aggregate(size: int, n: int) -> Part:
    """ȳ_i = Σ_j t_ji as wires."""
    return Part(1, 1, n + 2) * size


def square_wires(size: int, n: int) -> Part:
    """s = y·y for every image."""
    return Part(1, 1, 3) * (size * n)


def square_aggregate(size: int, n: int) -> Part:
    """Σ_j t_ji·y_ji; the last image's row has the sum itself."""
    return Part(n, n, 3 * (n - 1) + 2 + n) * size


def _form_entries(shape: WindowShape, n: int, reads: Reads) -> int:
    """Entries of the forms Σ_a x_ja·w_a + b, for all outputs of all images."""
    return (reads.tap_entries + n * shape.n_positions) * shape.out_channels


def form_square_wires(shape: WindowShape, n: int, reads: Reads) -> Part:
    """s = y·y where y is a linear form in the weights."""
    rows = Part(1, 1, 1) * (shape.n_outputs * n)
    return rows + Part(0, 0, 2 * _form_entries(shape, n, reads))


def form_square_by_image(shape: WindowShape, n: int, reads: Reads) -> Part:
    """(u^j·w) for every weight, then Σ_j (Σ_a x_ja (u^j·w_a)) · (Σ_a x_ja w_a)."""
    weights = Part(1, 1, 3) * (shape.out_channels * (shape.fan_in + 1) * (n - 1))
    rows = Part(n, n, 2 * n - 1) * shape.n_outputs
    return weights + rows + Part(0, 0, 2 * _form_entries(shape, n, reads))


def form_square_by_moment(shape: WindowShape, n: int, reads: Reads) -> Part:
    """w_a·w_b, Q_ab = Σ_j u^j·x_ja·x_jb, and Σ_ab (w_a·w_b)·Q_ab for every position."""
    channels, fan_in = shape.out_channels, shape.fan_in
    weights = Part(1, 1, 3) * (channels * (fan_in + 1) * (fan_in + 2) // 2)
    moments = Part(1, 1, 2) * (reads.pairs + 1) + Part(0, 0, reads.pair_entries + n)
    # the square of the bias is in the row that adds a position up
    sums = Part(1, 1, 4) * reads.tap_pairs + Part(1, 1, 3) * shape.n_positions
    return weights + moments + sums * channels


def direct_check(shape: WindowShape, n: int, reads: Reads, derived: bool) -> Part:
    """Every output from aggregated inputs: a product a tap, and a row that adds bias and output."""
    rows = Part(1, 0, 2 + (1 if derived else n)) * shape.n_outputs
    if derived:
        rows += Part(0, 1, 0) * shape.n_outputs
    return rows + Part(1, 1, 4) * (reads.taps * shape.own_channels)


def projected_check(shape: WindowShape, n: int, reads: Reads) -> Part:
    """The outputs of each channel at once, projected over the positions by powers of s."""
    own, used, positions = shape.own_channels, reads.used_taps, shape.n_positions
    terms = Part(1, 1, 3) * reads.inputs
    windows = Part(1, 1, 2) * used + Part(0, 0, reads.taps)
    bias = Part(1, 1, positions + 2) * shape.groups
    products = Part(1, 1, 3) * (used * own)
    outputs = Part(1, 1, n + 2) * shape.n_outputs
    rows = Part(1, 0, 2 + positions) * shape.out_channels + Part(0, 0, used * own)
    return terms + windows + bias + products + outputs + rows


def pool_check(shape: WindowShape, n: int, derived: bool) -> Part:
    """A row an output: the sum of its window."""
    n_made = 1 if derived else 0
    return Part(1, n_made, shape.fan_in + 1 + (1 if derived else n)) * shape.n_outputs


def flags(n: int) -> Part:
    """S5: a boolean flag an image, and one row for their sum."""
    return Part(1, 1, 3) * n + Part(1, 0, n + 2)


def margins(margin: Demand, tables: Tables, label_sum: int) -> Part:
    """S4: flag · (y_L − y_i − [i < L]) is a sum of limbs; label_sum: how many i are below an L."""
    n_limbs = len(split(margin.bits, tables))
    each = Part(1, n_limbs, 3 + n_limbs) * margin.count
    return each + Part(0, 0, label_sum) + lookups(margin, tables)


def form_margins(shape: WindowShape, reads: Reads) -> Part:
    """What logits that are linear forms add to that: each margin reads all weights of both."""
    return Part(0, 0, 2 * (shape.out_channels - 1) * reads.tap_entries)


def lookups(demand: Demand, tables: Tables) -> Part:
    """Lookups of limbs that are wires."""
    return Part(1, 1, 4) * (n_lookups(split(demand.bits, tables)) * demand.count)


def weight_lookups(demand: Demand, tables: Tables) -> Part:
    """Exact widths of weights: the top limb is what the others leave of the weight."""
    *low, top = split(demand.bits, tables)
    wires = Part(1, 1, 4) * n_lookups(low) + Part(0, len(low), 0)
    return (wires + Part(1, 1, 5 + len(low)) * len(top.shifts)) * demand.count


def table_rows(demands: Iterable[Demand], tables: Tables) -> Part:
    """Multiplicities and terms of every table, and its sum."""
    total = NOTHING
    for table in tables:
        size = 1 << table
        total += Part(size + 1, 2 * size, 4 * size - 1 + size + 1)
    # every lookup is an entry of its table's sum
    n_found = sum(n_lookups(split(d.bits, tables)) * d.count for d in demands if d.count)
    return total + Part(0, 0, n_found)
