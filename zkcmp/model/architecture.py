"""What is public about a network: layers, shapes, widths and input range.

    digest = SHA-256(canonical JSON)

The encoding is canonical JSON (ASCII, sorted keys, no spaces, no floats): for every architecture
exactly one byte string decodes to it, so equal digests mean equal architectures. The caller must
still run `bounds.check_no_wrap`: an architecture may be well-formed and yet wrap the field.
"""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass, fields
from decimal import Decimal
from functools import cached_property
from hashlib import sha256
from math import prod
from typing import Any

from zkcmp.errors import DecodeError, ZkcmpError
from zkcmp.json_nesting import nests_too_deeply
from zkcmp.model.layers import (
    LAYER_KINDS,
    MAX_INPUT_BITS,
    MAX_PATCHES,
    MAX_PRODUCTS,
    MAX_VOLUME,
    Conv,
    Dense,
    Flatten,
    Layer,
    Shape,
    Square,
    SumPool,
    TensorSpec,
    require_int,
    require_shape,
)

FORMAT = "zkcmp-architecture-2"
MAX_BYTES = 1 << 16
MAX_LAYERS = 64
MAX_NORMALISED_CHANNELS = 64
MAX_SQUARES = 8  # every square doubles the bits; far below this the field is full
_DECIMAL = re.compile(r"(?=.{1,40}\Z)-?(0|[1-9][0-9]*)(\.[0-9]*[1-9])?")


def canonical_decimal(value: float | str) -> str:
    """The shortest decimal string that reads back as `value`, without exponent."""
    text = format(Decimal(repr(value) if isinstance(value, float) else str(value)), "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


@dataclass(frozen=True)
class Normalisation:
    """The float network this one was quantised from read scale · pixel + offset.

    Each is a decimal, or one for each channel with commas between, as text. The integer network
    reads the raw pixels: scale and offset are already folded into its first layer, so nothing that
    is proved depends on them.
    """

    scale: str = "1"
    offset: str = "0"

    def __post_init__(self) -> None:
        for name, text in (("scale", self.scale), ("offset", self.offset)):
            parts = text.split(",") if isinstance(text, str) else []
            canonical = 0 < len(parts) <= MAX_NORMALISED_CHANNELS and all(
                _DECIMAL.fullmatch(part) and part != "-0" for part in parts
            )
            if not canonical or (name == "scale" and any(Decimal(part) <= 0 for part in parts)):
                raise ZkcmpError(
                    f"normalisation {name} must be a plain decimal, scale above 0, or one for "
                    "each channel with commas between"
                )
            if len(parts) > 1 and len(set(parts)) == 1:
                raise ZkcmpError(f"normalisation {name}: give equal numbers once")

    @classmethod
    def of(cls, scales: Sequence[float], offsets: Sequence[float]) -> "Normalisation":
        """From one number for all channels, or one for each."""
        return cls(_decimals(scales), _decimals(offsets))

    @classmethod
    def standardising(
        cls, means: Sequence[float], deviations: Sequence[float], largest: float = 255
    ) -> "Normalisation":
        """What (pixel / largest − mean) / deviation does, as training scripts write it."""
        if not means or len(means) != len(deviations) or not all(d > 0 for d in deviations):
            raise ZkcmpError("as many means as deviations are needed, deviations above 0")
        pairs = list(zip(means, deviations, strict=True))
        return cls.of([1 / (largest * d) for _, d in pairs], [-m / d for m, d in pairs])

    @property
    def scales(self) -> tuple[float, ...]:
        """One for all channels, or one for each."""
        return tuple(float(part) for part in self.scale.split(","))

    @property
    def offsets(self) -> tuple[float, ...]:
        """One for all channels, or one for each."""
        return tuple(float(part) for part in self.offset.split(","))

    def check(self, channels: int) -> None:
        """Raises ZkcmpError unless it has one number, or one for each of so many channels."""
        for name, values in (("scale", self.scales), ("offset", self.offsets)):
            if len(values) not in (1, channels):
                raise ZkcmpError(
                    f"normalisation {name} has {len(values)} numbers for {channels} channels"
                )


def _decimals(values: Sequence[float]) -> str:
    texts = [canonical_decimal(float(value)) for value in values]
    return texts[0] if len(set(texts)) == 1 else ",".join(texts)


RAW_PIXELS = Normalisation()


@dataclass(frozen=True)
class Architecture:
    """Layers, input range and normalisation of a network; everything but the weights.

    input_shape: (channels, height, width). Inputs are integers in [0, 2^input_bits − 1].
    Raises ZkcmpError when a field is out of range or the layers do not fit each other.
    """

    input_shape: tuple[int, int, int]
    input_bits: int
    layers: tuple[Layer, ...]
    normalisation: Normalisation = RAW_PIXELS

    def __post_init__(self) -> None:
        object.__setattr__(self, "input_shape", tuple(self.input_shape))
        object.__setattr__(self, "layers", tuple(self.layers))
        if len(self.input_shape) != 3:
            raise ZkcmpError("input_shape must be (channels, height, width)")
        require_shape("input_shape", self.input_shape)
        require_int("input_bits", self.input_bits, 1, MAX_INPUT_BITS)
        if not 1 <= len(self.layers) <= MAX_LAYERS:
            raise ZkcmpError(f"a network has 1 to {MAX_LAYERS} layers")
        if not all(type(layer) in LAYER_KINDS.values() for layer in self.layers):
            raise ZkcmpError(f"a layer is one of {', '.join(LAYER_KINDS)}")
        if not isinstance(self.normalisation, Normalisation):
            raise ZkcmpError("normalisation must be a Normalisation")
        self.normalisation.check(self.input_shape[0])
        if sum(isinstance(layer, Square) for layer in self.layers) > MAX_SQUARES:
            raise ZkcmpError(f"a network has at most {MAX_SQUARES} square layers")
        last = self.layers[-1]
        if not isinstance(last, Dense) or last.out_features < 2:
            raise ZkcmpError("the last layer must be dense with at least two outputs, the logits")
        shape: Shape = self.input_shape
        for index, layer in enumerate(self.layers):
            try:
                shape = layer.output_shape(shape)
                require_shape("output", shape)
            except ZkcmpError as error:
                raise ZkcmpError(f"{self.layer_name(index)}: {error}") from None
        if self.n_weights > MAX_VOLUME:
            raise ZkcmpError(f"a network has at most {MAX_VOLUME} weights")
        if self.n_patches > MAX_PATCHES or self.n_products > MAX_PRODUCTS:
            raise ZkcmpError(f"a network multiplies at most {MAX_PRODUCTS} times for an image")

    def layer_name(self, index: int) -> str:
        """Such as `dense3`: the kind and the position, counted from 0."""
        return f"{self.layers[index].kind}{index}"

    def shapes(self) -> list[Shape]:
        """The input shape, then every layer's output shape (one more entry than layers)."""
        shapes: list[Shape] = [self.input_shape]
        for layer in self.layers:
            shapes.append(layer.output_shape(shapes[-1]))
        return shapes

    def tensors(self) -> list[TensorSpec]:
        """Every tensor in packing order: weight, then bias, of each layer in turn."""
        return [
            spec
            for index, layer in enumerate(self.layers)
            for spec in layer.tensors(self.layer_name(index))
        ]

    @property
    def n_classes(self) -> int:
        """How many logits the network has."""
        last = self.layers[-1]
        return last.out_features if isinstance(last, Dense) else 0

    @property
    def n_weights(self) -> int:
        """How many integers are sealed, biases included."""
        return sum(spec.size for spec in self.tensors())

    @property
    def n_products(self) -> int:
        """Multiplications for one image, squares and the terms of pools included."""
        total = 0
        for layer, shape in zip(self.layers, self.shapes()[1:], strict=True):
            if not isinstance(layer, Flatten):
                total += prod(shape) * (1 if isinstance(layer, Square) else layer.fan_in)
        return total

    @property
    def n_patches(self) -> int:
        """Values in the largest layer input, the windows of a convolution or pool laid out."""
        pairs = zip(self.layers, self.shapes()[1:], strict=True)
        patches = [
            (x.fan_in * x.groups if isinstance(x, Conv) else x.fan_in * shape[0]) * prod(shape[1:])
            for x, shape in pairs
            if isinstance(x, Conv | SumPool)
        ]
        return max([self.n_inputs, *patches])

    @property
    def n_inputs(self) -> int:
        """Pixels of one image."""
        return prod(self.input_shape)

    def to_bytes(self) -> bytes:
        """Canonical JSON."""
        tree = {
            "format": FORMAT,
            "input_bits": self.input_bits,
            "input_shape": self.input_shape,
            "layers": [
                {"kind": layer.kind} | {f.name: getattr(layer, f.name) for f in fields(layer)}
                for layer in self.layers
            ],
            "normalisation": {
                "offset": self.normalisation.offset,
                "scale": self.normalisation.scale,
            },
        }
        return json.dumps(tree, sort_keys=True, separators=(",", ":"), ensure_ascii=True).encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> "Architecture":
        """Read canonical JSON; raises DecodeError for anything else."""
        if len(data) > MAX_BYTES:
            raise DecodeError(f"architecture is longer than {MAX_BYTES} bytes")
        if nests_too_deeply(data):
            raise DecodeError("architecture: nested too deeply")
        try:
            tree = json.loads(data.decode("ascii"), parse_float=_no_float, parse_constant=_no_float)
            architecture = cls._from_tree(tree)
        except (ZkcmpError, ValueError, RecursionError) as error:
            raise DecodeError(f"architecture: {error or 'malformed'}") from None
        if architecture.to_bytes() != data:
            raise DecodeError("architecture: not in canonical form; write it with to_bytes")
        return architecture

    @classmethod
    def _from_tree(cls, tree: object) -> "Architecture":
        keys = ("format", "input_bits", "input_shape", "layers", "normalisation")
        root = _require_keys("architecture", tree, keys)
        if root["format"] != FORMAT:
            raise DecodeError(f"format is not {FORMAT}")
        layers = _require_list("layers", root["layers"], MAX_LAYERS)
        scaling = _require_keys("normalisation", root["normalisation"], ("offset", "scale"))
        shape = tuple(_require_list("input_shape", root["input_shape"], 3))
        return cls(
            shape,  # type: ignore[arg-type]  # the constructor checks length and types
            root["input_bits"],
            tuple(_layer_from_tree(layer) for layer in layers),
            Normalisation(scaling["scale"], scaling["offset"]),
        )

    @cached_property
    def digest(self) -> bytes:
        """SHA-256 of the canonical bytes."""
        return sha256(self.to_bytes()).digest()


def _no_float(text: str) -> float:
    raise DecodeError("numbers must be integers")


def _require_keys(name: str, tree: object, keys: tuple[str, ...]) -> dict[str, Any]:
    if not isinstance(tree, dict) or set(tree) != set(keys):
        raise DecodeError(f"{name} must have exactly the fields {', '.join(sorted(keys))}")
    return tree


def _require_list(name: str, tree: object, longest: int) -> list[Any]:
    if not isinstance(tree, list) or len(tree) > longest:
        raise DecodeError(f"{name} must be a list of at most {longest} entries")
    return tree


def _layer_from_tree(tree: object) -> Layer:
    kind = tree.get("kind") if isinstance(tree, dict) else None
    if not isinstance(kind, str) or kind not in LAYER_KINDS:
        raise DecodeError(f"a layer's kind must be one of {', '.join(LAYER_KINDS)}")
    cls = LAYER_KINDS[kind]
    names = tuple(f.name for f in fields(cls))
    root = _require_keys(f"a {kind} layer", tree, ("kind", *names))
    values: dict[str, Any] = {
        k: tuple(root[k]) if isinstance(root[k], list) else root[k] for k in names
    }
    return cls(**values)
