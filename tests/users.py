"""Commands run as ordinary users of this machine, which only root can start."""

import os
import stat
import subprocess
import sys

import pytest

from tests.conftest import ROOT

USERS = (20_001, 20_002)
"""Ids of users whom this machine does not know, and who own nothing on it."""

# Where the interpreter is in root's home, which others may not enter, a namespace of the command's own shows it there.
_SCRIPT = """
set -e
if ! setpriv --reuid "$1" --clear-groups test -x "$2/bin"; then
    mount --bind "$2" /mnt
    mount -t tmpfs -o mode=755 tmpfs /root
    mkdir -p "$2"
    mount --move /mnt "$2"
fi
user=$1; shift 2
exec setpriv --reuid "$user" --regid "$user" --clear-groups --no-new-privs -- "$@"
"""


def ordinary_user(user, *command):
    """Return the command line that runs a command as the user of an id; skip the test where that is not possible."""
    if os.geteuid() != 0:
        pytest.skip("only root can run commands as other users")
    if subprocess.run(["unshare", "--mount", "true"], capture_output=True).returncode:
        pytest.skip("mount namespaces are not allowed here")
    if not all(folder.stat().st_mode & stat.S_IXOTH for folder in (ROOT, *ROOT.parents)):
        pytest.skip(f"other users cannot enter {ROOT}")
    return ["unshare", "--mount", "sh", "-c", _SCRIPT, "sh", str(user), sys.base_prefix, *map(str, command)]


def environment_of(home):
    """Return the environment of a user with that home, with nothing of this process but how to reach packages."""
    return {"HOME": str(home), "PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT), "LANG": "C.UTF-8"}
