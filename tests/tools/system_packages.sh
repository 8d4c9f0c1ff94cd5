#!/usr/bin/env bash
# Makes sure that the commands named are there. Arguments: COMMAND:PACKAGE, the package as Debian calls it.
# Installs with apt, as root on Debian and its kin, and only what is missing; elsewhere says what is missing.
set -euo pipefail

missing=()
for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
[ "${#missing[@]}" -gt 0 ] || exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    # One at a time: apt gives up where another one runs, and targets of one make may run at once.
    exec {lock}<"$0"
    flock "$lock"
    echo "Installing missing system packages: ${missing[*]}"
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "${missing[@]}"
else
    echo "Missing on this machine, please install: ${missing[*]} (names as in Debian)" >&2
    exit 1
fi
