"""What the benchmarks measure with: signed deliveries, load, pinned servers, the bare handler."""
