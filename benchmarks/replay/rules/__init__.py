"""The rules by which a policy lets its trials continue, whatever draws the configs; each uses a pruner of `search/`."""
