"""Any login shell: what is run on a device goes through it, and csh and fish quote otherwise than a POSIX shell."""

from __future__ import annotations

import shutil
import subprocess
import sys

import pytest

from profilers.devices.connection import Connection
from profilers.devices.transport import LocalTransport, for_any_shell

AWKWARD = r"""printf '%s|' "a b" 'it'\''s' '!x' 100% '\n' '$HOME' "$((1+1))" 'ä' '`x`' "~" '{a,b}' '*' '#'
echo
cat"""
SHELLS = ("sh", "bash", "dash", "ksh", "mksh", "zsh", "bsd-csh", "csh", "tcsh", "fish")


@pytest.fixture(params=SHELLS)
def shell(request):
    if not shutil.which(request.param):
        pytest.skip(f"no {request.param} on this machine")
    return request.param


def test_a_script_is_run_as_it_is_written(shell):
    done = subprocess.run([shell, "-c", for_any_shell(AWKWARD)], input=b"stdin", capture_output=True, check=True)
    assert done.stdout.decode() == "a b|it's|!x|100%|\\n|$HOME|2|ä|`x`|~|{a,b}|*|#|\nstdin" and done.stderr == b""


class LoginShell(LocalTransport):
    """A device whose user has another shell."""

    def __init__(self, shell):
        super().__init__()
        self.shell = shell

    def command(self, script):
        return [self.shell, "-c", for_any_shell(script)]


def test_an_agent_is_sent_and_started(shell):
    if shell in ("bash", "dash", "ksh", "mksh", "zsh", "csh"):
        pytest.skip("like sh or tcsh, and each costs a second")
    connection = Connection(LoginShell(shell), sys.executable)
    assert connection.about["executable"] == sys.executable
    connection.close()
