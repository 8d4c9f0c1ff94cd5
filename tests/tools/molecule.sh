#!/usr/bin/env bash
# Runs the Molecule scenarios named, or all of them: makes the hosts, runs, removes the hosts, and fails when something is left.
# MOLECULE_ENGINE=podman|docker|nspawn: what the hosts are made with. MOLECULE_WORKERS: how many scenarios run at a time.
#
# Where it cannot run it says what is missing, and that it skips; as root on Debian and its kin it installs that instead.
set -euo pipefail
cd "$(dirname "$0")/../.."

export MOLECULE_ENGINE=${MOLECULE_ENGINE:-podman}
root=false
[ "$(id -u)" -ne 0 ] || root=true
# An ordinary machine is one that boots systemd on cgroup2; what any other one needs is in private_machine.sh.
ordinary=false
[ "$(stat -f -c %T /sys/fs/cgroup)" != cgroup2fs ] || [ ! -d /run/systemd/system ] || ordinary=true

skip() {
    echo "skipped: all Molecule scenarios, as $1" >&2
    exit 0
}

docker_says() {  # a field of what the daemon tells of itself; nothing when none answers
    docker info --format "{{.$1}}" 2>/dev/null || true
}

packages=(ssh:openssh-client)
private=true
! $ordinary || private=false
case $MOLECULE_ENGINE in
    podman)
        packages+=(podman:podman conmon:conmon)
        ! $private || packages+=(runc:runc mmdebstrap:mmdebstrap unshare:util-linux)
        ;;
    docker)
        # A daemon that answers is used, whatever the machine.
        [ -z "$(docker_says ID)" ] || private=false
        packages+=(docker:docker.io)
        ! $private || packages+=(dockerd:docker.io mmdebstrap:mmdebstrap unshare:util-linux)
        ;;
    nspawn)
        $root || skip "systemd-nspawn needs root"
        packages+=(systemd-nspawn:systemd-container mmdebstrap:mmdebstrap nsenter:util-linux)
        ! $private || packages+=(unshare:util-linux)
        ;;
    *) echo "MOLECULE_ENGINE is $MOLECULE_ENGINE; it can be podman, docker or nspawn" >&2; exit 2 ;;
esac
! $private || $root || skip "this machine is not booted with systemd on cgroup2 and so needs root"
tests/tools/system_packages.sh "${packages[@]}" || skip "the packages above are missing"
if $private && [ -z "${MOLECULE_PRIVATE_MACHINE:-}" ]; then
    export MOLECULE_PRIVATE_MACHINE=true
    exec tests/tools/private_machine.sh "$0" "$@"
fi

enter=$root
case $MOLECULE_ENGINE in
    podman)
        problem=$(podman info 2>&1 >/dev/null) || skip "podman does not work here: $problem"
        ;;
    docker)
        [ "$(docker_says CgroupVersion)" = 2 ] || skip "no docker daemon on cgroup2 answers: $(docker version 2>&1 >/dev/null | tail -n 1)"
        [ "$(docker_says Name)" = "$(uname -n)" ] || enter=false  # its processes are those of another machine
        ;;
esac

if [ -z "${MOLECULE_PRIVATE_MACHINE:-}" ]; then
    mkdir -p build/molecule
    exec 9>build/molecule/lock
    flock 9  # one at a time, as the hosts have fixed names; a private machine has its own lock
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

# shellcheck disable=SC2317  # it is called, by the trap
list_machines() {
    case $MOLECULE_ENGINE in
        nspawn) tests/tools/nspawn.sh list ;;
        *) "$MOLECULE_ENGINE" ps --all --filter name=infracheck- --format '{{.Names}}' 9>&- ;;
    esac
}

# shellcheck disable=SC2317  # it is called, by the trap
remove_machine() {
    case $MOLECULE_ENGINE in
        nspawn) tests/tools/nspawn.sh remove "$1" ;;
        *) "$MOLECULE_ENGINE" rm --force "$1" >/dev/null 9>&- ;;
    esac
}

MOLECULE_EPHEMERAL_DIRECTORY=$(mktemp -d)
export MOLECULE_ENTER=${MOLECULE_ENTER:-$enter}
export MOLECULE_EPHEMERAL_DIRECTORY ANSIBLE_LOCAL_TEMP=$MOLECULE_EPHEMERAL_DIRECTORY/ansible
child=
# shellcheck disable=SC2317,SC2329  # it is called, by the trap
tidy() {  # also after a run that was cut off
    local status=$? machine
    [ -z "$child" ] || kill -- "-$child" 2>/dev/null || true
    wait
    rm -rf "$MOLECULE_EPHEMERAL_DIRECTORY"
    for machine in $(list_machines); do
        echo "Left behind, and removed now: $machine" >&2
        remove_machine "$machine" || true
        status=1
    done
    exit "$status"
}
trap tidy EXIT
trap 'exit 130' INT TERM HUP

# By its path: Molecule finds it by itself in a git repository only, and runs without hosts, and without complaint, when it does not.
setsid molecule --base-config .config/molecule/config.yml test "${names[@]}" --workers "${MOLECULE_WORKERS:-3}" \
    --continue-on-failure --no-command-borders 9>&- &
child=$!
status=0
wait "$child" || status=$?
child=
exit "$status"
