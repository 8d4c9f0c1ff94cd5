#!/usr/bin/env bash
# Puts the checkout in place as a collection: a real folder below collections/ with one relative link per entry.
# One link to the root of the checkout would be a loop: ansible-lint and inventory parsing would fall into it.
set -euo pipefail
cd "$(dirname "$0")/../.."

tree=collections/ansible_collections/infracheck/bindings
mkdir -p "$tree"
for entry in README.md changelogs docs extensions galaxy.yml meta playbooks plugins roles tests; do
    if [ -e "$entry" ]; then
        ln -sfn "../../../../$entry" "$tree/$entry"
    else
        rm -f "$tree/$entry"
    fi
done
