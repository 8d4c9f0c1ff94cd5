#!/usr/bin/env bash
# Prints the path of the first interpreter found among the versions given (for example: find_python.sh 3.13 3.12).
# With --all: one path per version found, and "skipped" on standard error, by name, for each that is not here.
#
# Paths are those of the real interpreters: version managers put wrapper scripts on PATH that change with the folder
# one stands in, which ansible-test cannot work with.
set -euo pipefail

all=false
if [ "${1:-}" = --all ]; then
    all=true
    shift
fi

real_path() {  # the interpreter behind a command, when it has that version and can make virtual environments
    # shellcheck disable=SC2016
    "$1" -I -c '
import ensurepip, os, sys
path = os.path.join(sys.base_prefix, "bin", "python" + sys.argv[1])
if "%d.%d" % sys.version_info[:2] != sys.argv[1] or not os.access(path, os.X_OK):
    sys.exit(1)
print(path)
' "$2" 2>/dev/null
}

find_version() {
    local version=$1 folder
    local -a folders
    IFS=: read -r -a folders <<<"$PATH"
    for folder in "${folders[@]}" "${PYENV_ROOT:-$HOME/.pyenv}/versions/$version".*/bin /usr/local/bin /usr/bin; do
        if [ -x "$folder/python$version" ] && real_path "$folder/python$version" "$version"; then
            return 0
        fi
    done
    return 1
}

found=1
for version in "$@"; do
    if find_version "$version"; then
        found=0
        $all || exit 0
    elif $all; then
        echo "skipped: no Python $version on this machine" >&2
    fi
done
exit "$found"
