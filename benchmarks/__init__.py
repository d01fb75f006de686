"""The measurements behind BENCHMARKS.md and RELIABILITY.md, and the replays of searches on learning curves."""
