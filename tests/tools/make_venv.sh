#!/usr/bin/env bash
# Makes the virtual environment FOLDER with the first Python found among VERSIONs.
# Without any: exits 1, and says which were looked for.
set -euo pipefail
here=$(dirname "$0")
folder=$1
shift

if ! python=$("$here/find_python.sh" "$@"); then
    # Debian ships python3 without what `python3 -m venv` needs.
    if command -v "python$1" >/dev/null && [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
        "$here/system_packages.sh" "no-such-command:python$1-venv"
        python=$("$here/find_python.sh" "$@")
    else
        echo "No Python with the venv module found; looked for: $*" >&2
        exit 1
    fi
fi
echo "Making $folder with $("$python" --version)"
"$python" -m venv --clear "$folder"
