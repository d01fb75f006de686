"""The rules by which a policy lets its trials go on, whatever draws the configs: each drives a pruner of `search/`."""
