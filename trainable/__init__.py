"""Trains one trial: configs, models, losses, metrics, the training loop, and the worker that Ray runs them in."""
