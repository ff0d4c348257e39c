# shellcheck shell=bash
# Installs the npm packages of the clone in the current folder, unless they are as new as package-lock.json.

install_packages() {
  # npm writes .package-lock.json last, so an interrupted installation has none.
  local installed=node_modules/.package-lock.json
  outdated() { [ ! -e "$installed" ] || [ package-lock.json -nt "$installed" ]; }
  outdated || return 0
  (
    flock 9
    outdated || exit 0
    printf 'Installing npm packages.\n' >&2
    npm ci --no-audit --no-fund 1>&2 && touch "$installed"
  ) 9<package-lock.json
}
