"""ezkl on one image of a network, private weights: setup, prove, verify; run by peers.py.

    python experiments/ezkl_worker.py NETWORK.onnx DIRECTORY REPEATS

Runs with whatever Python has ezkl, which need not have zkcmp. The last line of the output is a JSON
object. ezkl's own calibration chooses the scales; input and output are public, the weights private
(its default makes them part of the circuit's key).
"""

import inspect
import json
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import ezkl
import numpy as np
import onnx


def main(network: str, directory: str, repeats: str) -> None:
    place = Path(directory)
    model, data, settings = str(network), place / "input.json", place / "settings.json"
    dimensions = onnx.load(model).graph.input[0].type.tensor_type.shape.dim
    shape = [dimension.dim_value or 1 for dimension in dimensions]
    pixels = np.random.default_rng(1).random(shape)
    data.write_text(json.dumps({"input_data": [pixels.ravel().tolist()]}))
    options = ezkl.PyRunArgs()
    options.param_visibility = "private"
    options.variables = [(d.dim_param, 1) for d in dimensions if d.dim_param]
    run("gen_settings", model, str(settings), py_run_args=options)
    run(
        "calibrate_settings",
        str(data),
        model,
        str(settings),
        target="resources",
        lookup_safety_margin=2,
    )
    compiled, vk, pk = (str(place / name) for name in ("circuit", "vk", "pk"))
    run("compile_circuit", model, compiled, str(settings))
    logrows = json.loads(settings.read_text())["run_args"]["logrows"]
    srs, witness, proof = (str(place / name) for name in ("srs", "witness.json", "proof.json"))
    run("gen_srs", srs, logrows)
    setup_s, _ = timed(lambda: run("setup", compiled, vk, pk, srs))
    proving, verifying = [], []
    for _ in range(int(repeats)):
        start = time.perf_counter()
        run("gen_witness", str(data), compiled, witness)
        run("prove", witness, compiled, pk, proof, srs)
        proving.append(time.perf_counter() - start)
        seconds, accepted = timed(lambda: run("verify", proof, str(settings), vk, srs))
        if not accepted:
            raise RuntimeError("ezkl refuses its own proof")
        verifying.append(seconds)
    found = json.loads(Path(proof).read_text())
    result = {
        "version": getattr(ezkl, "__version__", ""),
        "logrows": logrows,
        "setup_s": setup_s,
        "prove_s": sorted(proving)[len(proving) // 2],
        "verify_s": sorted(verifying)[len(verifying) // 2],
        "proof_bytes": len(found["proof"]) if isinstance(found["proof"], list) else 0,
        "key_mb": Path(pk).stat().st_size / 1e6,
        "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024,
    }
    print(json.dumps(result))


def run(name: str, *arguments: Any, **more: Any) -> Any:
    """Call a function of ezkl, which in some versions is a coroutine."""
    found = getattr(ezkl, name)(*arguments, **more)
    if inspect.isawaitable(found):
        import asyncio

        async def wait() -> Any:
            return await found

        found = asyncio.new_event_loop().run_until_complete(wait())
    if found is False:
        raise RuntimeError(f"ezkl's {name} failed")
    return found


def timed(call: Callable[[], Any]) -> tuple[float, Any]:
    start = time.perf_counter()
    result = call()
    return time.perf_counter() - start, result


if __name__ == "__main__":
    main(*sys.argv[1:])
