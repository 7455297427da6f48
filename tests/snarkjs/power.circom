pragma circom 2.0.0;

// y = x^5 + 2^200 x − u; u is public and w is in no constraint
template Power() {
    signal input u;
    signal input w;
    signal input x;
    signal output y;
    signal x2;
    signal x4;
    x2 <== x * x;
    x4 <== x2 * x2;
    y <== x4 * x + (1 << 200) * x - u;
}

component main {public [u, w]} = Power();
