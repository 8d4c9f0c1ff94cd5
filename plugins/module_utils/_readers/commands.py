# Copyright (c) 2026 the infracheck.bindings contributors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Programs of the host that are asked something: always with a time limit, in one language, without a shell."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from .._wire import spelling

# Fixed, so that neither the caller's PATH nor its language or pager play a part.
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/run/current-system/sw/bin"
_ENVIRONMENT = {
    "PATH": PATH,
    "LC_ALL": "C",
    "SYSTEMD_PAGER": "",
    "SYSTEMD_COLORS": "0",
}
_LINES = 10
_LENGTH = 300


class Done(NamedTuple):
    status: Optional[int]  # exit status; None = not run, or not ended in time
    output: str  # the last lines of everything it printed, for a person
    full_output: str  # standard output, with undecodable bytes as surrogates
    errors: str  # standard error, likewise


def run_command(
    command: Sequence[str],
    *,
    timeout: float,
    environment: Optional[Mapping[str, str]] = None,
    user: Optional[str] = None,
) -> Done:
    """Never raises. user: name or number; run as that one, with its groups, and without our terminal."""
    try:
        identity = _find_identity(user) if user else {}
        # There is no AnsibleModule here to ask. pylint: disable-next=ansible-bad-function,unknown-option-value
        done = subprocess.run(
            list(command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            timeout=timeout,
            env={**(environment or {}), **_ENVIRONMENT},
            cwd="/",
            check=False,
            **identity,
        )
    except subprocess.TimeoutExpired:
        return Done(None, f"did not end within {timeout:g} seconds", "", "")
    except (OSError, ValueError, KeyError) as error:
        return Done(None, f"could not be run: {error}", "", "")
    lines = (done.stderr + done.stdout).strip().split(b"\n")[-_LINES:]
    return Done(
        done.returncode,
        "\n".join(spelling.printable(line)[:_LENGTH] for line in lines),
        done.stdout.decode("utf-8", "surrogateescape"),
        done.stderr.decode("utf-8", "surrogateescape"),
    )


def _find_identity(user: str) -> dict[str, Any]:
    """Raises KeyError."""
    import os
    import pwd

    # A number first, as systemd reads User= (src/basic/user-util.c, get_user_creds).
    entry = pwd.getpwuid(int(user)) if user.isascii() and user.isdecimal() else pwd.getpwnam(user)
    groups = os.getgrouplist(entry.pw_name, entry.pw_gid)
    # In a session of its own it cannot type into a terminal that it has inherited (ioctl_tty(2), TIOCSTI).
    return {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": groups, "start_new_session": True}
