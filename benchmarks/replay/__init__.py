"""Replays searches on recorded learning curves: what a search finds in a given time, without any training.

A *world* has the course of each config's training, based on a table of `benchmarks/curves`. A *policy* is a whole
search: it draws configs and decides which trial runs up to which epoch. The *clock* lets a policy search in a world
with a number of workers, each of which is busy for the seconds in the table.

The images of the table are split into two halves at random. A policy sees the values of its trials on one half, and its
choice is judged on the other. Then the halves are swapped.
"""
