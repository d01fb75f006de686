"""Searches replayed on recorded learning curves: what a search finds in a given time, without any training.

A *world* says how the training of a config goes, out of a table of `benchmarks/curves`. A *policy* is a whole search:
it draws configs, and says which trial runs, and up to which epoch. The *clock* lets a policy search in a world with so
many workers, each of which is busy for the seconds that the table has.

The images of the table are split into two halves at random. A policy sees how its trials do on one half. What it has
chosen by that is judged on the other half; then the halves are swapped.
"""
