"""The errors that a user is meant to read."""

__all__ = ["InclinetError"]


class InclinetError(Exception):
    """Something the user can put right: the message names the file, row or option and says what to do.

    Trying again without a change gives the same answer, so it is never retried.
    """
