"""What is raised where Ray cannot be used. Imports nothing heavy."""


class RayFailedError(Exception):
    """Ray could not be started, or ended under the sweep."""

    def __str__(self) -> str:
        return f"{super().__str__()}\nNothing that was recorded is lost; run the same command again to go on."
