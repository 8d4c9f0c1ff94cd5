#!/usr/bin/env bash
# Runs `ansible-test sanity` of the ansible-core in virtual environment VENV; further arguments are passed on.
#
# It works on a physical copy with a git repository of its own: ansible-test wants …/ansible_collections/NAMESPACE/NAME,
# does not follow the links below collections/, and says "All targets skipped", with success, in a git-ignored folder.
set -euo pipefail
cd "$(dirname "$0")/../.."
venv=$PWD/$1
shift

# Real interpreters only, so that the import and compile tests run on every version that this machine has: the wrapper
# scripts of a version manager answer for versions that they then cannot start.
path=$venv/bin
while read -r interpreter; do
    path=$path:$(dirname "$interpreter")
done < <(tests/tools/find_python.sh --all 3.9 3.10 3.11 3.12 3.13)
PATH=$path:$(tr : '\n' <<<"$PATH" | grep -v '/shims$' | paste -sd :)
export PATH

# ansible-test starts pip in its own environments with a script that it downloads. Where only a package index is in reach
# that fails, so here is one that does the same with pip's wheel. A script that is there already stays as it is.
requirements=$("$venv/bin/python" -c 'import ansible_test._internal.python_requirements as r; print(r.__file__)')
version=$(sed -n "s/^ *pip='\([0-9.]*\)',$/\1/p" "$requirements")
cache=$HOME/.ansible/test/cache
bootstrap=$cache/get_pip_${version//./_}.py
if [ ! -e "$bootstrap" ]; then
    mkdir -p "$cache"
    "$venv/bin/pip" download --quiet --no-deps --dest "$cache" "pip==$version"
    cat >"$bootstrap.$$" <<EOF
"""Stand-in for the get-pip script: starts pip from its wheel, which lies beside this file."""
import os, sys
sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "pip-$version-py3-none-any.whl"))
from pip._internal.cli.main import main
arguments = [a for a in sys.argv[1:] if a not in ("--no-setuptools", "--no-wheel")]
sys.exit(main(["install", "--upgrade", "--force-reinstall"] + arguments))
EOF
    mv "$bootstrap.$$" "$bootstrap"
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
copy=$work/ansible_collections/infracheck/bindings
mkdir -p "$copy"
# What git would take: tracked files and new ones that are not ignored, as they are now.
git ls-files -z --cached --others --exclude-standard --deduplicate |
    while IFS= read -r -d '' file; do [ ! -e "$file" ] || printf '%s\0' "$file"; done |
    tar --null --files-from=- --create | tar --extract --directory "$copy"
cd "$copy"
git init --quiet
git add --all

ansible-test sanity --color no "$@" 2>&1 | tee "$work/output"
if grep -q "All targets skipped" "$work/output"; then
    echo "ansible-test looked at nothing, which is no success" >&2
    exit 1
fi
