#!/usr/bin/env bash
# Makes tests/groth16/snarkjs_vectors with snarkjs and circom2 on the PATH: needs no zkcmp.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=$here/../groth16/snarkjs_vectors
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$out"
cp "$here/power.circom" "$work"
cd "$work"
beacon=0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f
circom2 power.circom --r1cs --wasm
echo '{"u": "77", "w": "5", "x": "1234"}' > input.json
snarkjs wtns calculate power_js/power.wasm input.json power.wtns
snarkjs powersoftau new bn128 3 new.ptau
snarkjs powersoftau beacon new.ptau beacon.ptau $beacon 10
snarkjs powersoftau prepare phase2 beacon.ptau power.ptau
snarkjs groth16 setup power.r1cs power.ptau new.zkey
snarkjs zkey beacon new.zkey power.zkey $beacon 10
snarkjs zkey export verificationkey power.zkey verification_key.json
snarkjs groth16 prove power.zkey power.wtns proof.json public.json
cp power.{r1cs,wtns,ptau,zkey} verification_key.json proof.json public.json "$out"
