"""The errors that a user is meant to read."""

__all__ = ["InclinetError"]


class InclinetError(Exception):
    """An error that the user can put right: the message names the file, row or setting, and says what to do.

    Trying again without a change gives the same answer, so it is never retried.

    Parameters
    ----------
    message : str
    setting : str, optional
        Name of the setting or parameter to change, such as ``size``; the command line adds its option to the message.
    """

    def __init__(self, message: str, *, setting: str | None = None) -> None:
        super().__init__(message)
        self.setting = setting
