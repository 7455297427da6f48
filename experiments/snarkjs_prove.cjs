// Measures snarkjs's prover; run by experiments/groth16_peers.py:
//   node snarkjs_prove.cjs SNARKJS_PACKAGE DIRECTORY REPEATS THREADS
// Proves from circuit.zkey and witness.wtns, once unmeasured (workers start, WASM is compiled);
// its own verifier must accept the proof and refuse another public input. Prints a JSON object.
const fs = require("fs");
const os = require("os");
const path = require("path");

const [root, directory, repeats, threads] = process.argv.slice(2);
// snarkjs starts a worker for each of these
const cpus = os.cpus();
os.cpus = () => Array.from({ length: Number(threads) }, (_, i) => cpus[i % cpus.length]);
const snarkjs = require(root);

async function main() {
    const zkey = path.join(directory, "circuit.zkey");
    const wtns = path.join(directory, "witness.wtns");
    await snarkjs.groth16.prove(zkey, wtns);
    const times = [];
    let made;
    for (let i = 0; i < Number(repeats); i++) {
        const start = process.hrtime.bigint();
        made = await snarkjs.groth16.prove(zkey, wtns);
        times.push(Number(process.hrtime.bigint() - start) / 1e9);
    }
    const peak = process.resourceUsage().maxRSS * 1024;
    const key = await snarkjs.zKey.exportVerificationKey(zkey);
    const wrong = made.publicSignals.map((z) => String(BigInt(z) - 1n));
    if (!(await snarkjs.groth16.verify(key, made.publicSignals, made.proof)))
        throw new Error("snarkjs refuses its own proof");
    if (await snarkjs.groth16.verify(key, wrong, made.proof))
        throw new Error("snarkjs accepts a false public input");
    fs.writeFileSync(path.join(directory, "proof.json"), JSON.stringify(made.proof));
    console.log(JSON.stringify({ prove: times, peak_memory_bytes: peak }));
    process.exit(0);
}

main().catch((error) => {
    console.error(error);
    process.exit(1);
});
