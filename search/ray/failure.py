"""What is raised where Ray cannot be used. Imports nothing heavy."""

from storage.errors import UserError


class RayFailedError(UserError):
    """Ray could not be started, or ended under the sweep."""

    exit_code = 4

    def __str__(self) -> str:
        return f"{super().__str__()}\nNothing that was recorded is lost; run the same command again to go on."
