"""Defines what a sweep folder contains and how it is written: paths, durable files, ledgers, buckets, user code."""
