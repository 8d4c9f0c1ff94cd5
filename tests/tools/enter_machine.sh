#!/usr/bin/env bash
# Runs a command in a test host: enter_machine.sh ROOT COMMAND…, ROOT being /proc/PID/root of its systemd, or a link to that. Takes the place of
# chroot in the connection community.general.chroot, and is many times cheaper than an engine's own `exec`. Needs root.
set -euo pipefail
root=$1
[ "${root#/proc/}" != "$root" ] || root=$(readlink "$root")
shift
pid=${root#/proc/}
pid=${pid%/root}
# In the cgroup of the host, as an engine's own `exec` does it; a host with controllers switched on does not take that.
group=$(sed -n 's/^0:://p' "/proc/$pid/cgroup")
{ echo $$ >"/sys/fs/cgroup${group%/init.scope}/cgroup.procs"; } 2>/dev/null || true
exec env --ignore-environment HOME=/root LANG=C.UTF-8 PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    nsenter --target "$pid" --mount --uts --ipc --net --pid --cgroup -- "$@"
