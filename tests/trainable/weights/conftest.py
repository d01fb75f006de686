"""The fixtures of all tests of weights."""

from tests.trainable.weights.fixtures import empty_machine, package, server

__all__ = ["empty_machine", "package", "server"]
