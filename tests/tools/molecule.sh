#!/usr/bin/env bash
# Runs the Molecule scenarios named, or all of them: makes the hosts, runs, removes the hosts, and fails when something is left.
# MOLECULE_ENGINE=podman|docker: what the hosts are made with. MOLECULE_WORKERS: how many scenarios run at a time.
#
# Where it cannot run it says what is missing, and that it skips; as root on Debian and its kin it installs that instead.
set -euo pipefail
cd "$(dirname "$0")/../.."

export MOLECULE_ENGINE=${MOLECULE_ENGINE:-podman}
case $MOLECULE_ENGINE in
    podman) packages=(podman:podman conmon:conmon ssh:openssh-client) ;;
    docker) packages=(docker:docker.io ssh:openssh-client) ;;
    *) echo "MOLECULE_ENGINE is $MOLECULE_ENGINE; it can be podman or docker" >&2; exit 2 ;;
esac

# An ordinary machine is one that boots systemd on cgroup2; what any other one needs is in private_machine.sh.
ordinary=true
[ "$(stat -f -c %T /sys/fs/cgroup)" = cgroup2fs ] && [ -d /run/systemd/system ] || ordinary=false
$ordinary || packages+=(runc:runc mmdebstrap:mmdebstrap unshare:util-linux)
if ! $ordinary && [ "$(id -u)" -ne 0 ]; then
    echo "skipped: all Molecule scenarios, as this machine is not booted with systemd on cgroup2 and so needs root" >&2
    exit 0
fi
if ! tests/tools/system_packages.sh "${packages[@]}"; then
    echo "skipped: all Molecule scenarios, as the packages above are missing" >&2
    exit 0
fi
if ! $ordinary && [ -z "${MOLECULE_PRIVATE_MACHINE:-}" ]; then
    export MOLECULE_PRIVATE_MACHINE=true
    exec tests/tools/private_machine.sh "$0" "$@"
fi

scenarios=("$@")
if [ "${#scenarios[@]}" -eq 0 ]; then
    mapfile -t scenarios < <(find molecule -mindepth 2 -name molecule.yml -printf '%h\n' | sed 's|.*/||' | grep -vx default | sort)
fi
names=()
for scenario in "${scenarios[@]}"; do
    names+=(--scenario-name "$scenario")
done
MACHINES=$(IFS=:; echo "${scenarios[*]}")
export MACHINES  # only theirs are made

MOLECULE_EPHEMERAL_DIRECTORY=$(mktemp -d)
[ "$(id -u)" -ne 0 ] || export MOLECULE_ENTER=true
export MOLECULE_EPHEMERAL_DIRECTORY ANSIBLE_LOCAL_TEMP=$MOLECULE_EPHEMERAL_DIRECTORY/ansible
status=0
molecule test "${names[@]}" --workers "${MOLECULE_WORKERS:-3}" --continue-on-failure --no-command-borders || status=$?
# Also when a step was cut off before the hosts were removed.
[ "$status" -eq 0 ] || molecule --quiet destroy --scenario-name default >/dev/null 2>&1 || true
rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"

left=$("$MOLECULE_ENGINE" ps --all --filter name=infracheck- --format '{{.Names}}')
if [ -n "$left" ]; then
    echo "Left behind: $left" >&2
    status=1
fi
exit "$status"
