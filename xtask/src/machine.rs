//! What chores need to know of the machine.

/// Whether the processor has instructions for bf16 products. Where nobody says, it is taken to have them.
pub(crate) fn has_bf16() -> bool {
    std::fs::read_to_string("/proc/cpuinfo").map_or(true, |text| text.contains("bf16"))
}
