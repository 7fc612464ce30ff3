//! Tests that need a process of their own: how OpenMP's threads wait depends on every pool of threads in the process.

mod wait;
