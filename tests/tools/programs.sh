#!/usr/bin/env bash
# Puts Debian packages, with what they need and this machine lacks, below FOLDER, without installing them: nothing on the
# machine changes, and no service starts. Arguments: FOLDER PACKAGE…. Without apt it says so and exits 1.
set -euo pipefail

folder=$1
shift
stamp=$folder/$(sha256sum <<<"$*" | cut -c1-12)
[ ! -e "$stamp" ] || exit 0
if ! command -v apt-get >/dev/null || ! command -v dpkg-deb >/dev/null; then
    echo "not a Debian: cannot fetch $*" >&2
    exit 1
fi

mkdir -p "$folder/archives/partial" "$folder/root"
# Packages that are installed, but whose programs are wanted here as well, are not fetched: they are on the machine.
fetch() {
    apt-get -qq -y --no-install-recommends --download-only -o Debug::NoLocking=1 \
        -o Dir::Cache::archives="$folder/archives" install "$@"
}
fetch "$@" || { [ "$(id -u)" -eq 0 ] && apt-get update -qq && fetch "$@"; }
for archive in "$folder"/archives/*.deb; do
    [ ! -e "$archive" ] || dpkg-deb --extract "$archive" "$folder/root"
done
touch "$stamp"
