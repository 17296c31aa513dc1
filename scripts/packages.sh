# What the tests need besides Rust, by the names of Debian and Ubuntu packages. Sourced.

# The folder of PostgreSQL's server programs, which Debian keeps off the search path.
postgres_folder() {
  local initdb
  initdb="$(command -v initdb || find /usr/lib/postgresql -name initdb -path '*/bin/*' 2>/dev/null | sort -V | tail -n 1)"
  [ -n "$initdb" ] && dirname "$(readlink -f "$initdb")"
}

# Debian keeps it off the search path of those who are not root.
pgbouncer_program() {
  PATH="$PATH:/usr/sbin" command -v pgbouncer
}

# What comes before the programs of PostgreSQL and PgBouncer, which refuse to run as root.
AS_POSTGRES=()
if [ "$(id -u)" -eq 0 ]; then AS_POSTGRES=(setpriv --reuid=postgres --regid=postgres --init-groups); fi

# make_server_folder FOLDER: a new one that only their user may look into.
make_server_folder() {
  mkdir --mode=700 "$1"
  if [ "${#AS_POSTGRES[@]}" -gt 0 ]; then chown postgres "$1"; fi
}

chromium_program() {
  command -v "${CHROMIUM:-chromium}" || command -v chromium-browser || command -v google-chrome
}

has_yaml() {
  python3 -c 'import yaml' 2>/dev/null
}

as_root() {
  if [ "$(id -u)" -eq 0 ]; then "$@"; else sudo "$@"; fi
}

# install_missing PACKAGE...: nothing when there are none.
install_missing() {
  if [ "$#" -eq 0 ]; then return; fi
  echo "installing $*"
  if ! command -v apt-get >/dev/null; then
    echo "there is no apt-get here: install these by hand: $*" >&2
    return 1
  fi
  as_root apt-get update -qq
  as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

# What the fault suite needs.
install_server_packages() {
  local missing=()
  postgres_folder >/dev/null || missing+=(postgresql)
  command -v redis-server >/dev/null || missing+=(redis-server)
  command -v faketime >/dev/null || missing+=(faketime)
  install_missing "${missing[@]}"
}

install_packages() {
  install_server_packages
  local missing=()
  pgbouncer_program >/dev/null || missing+=(pgbouncer)
  command -v node >/dev/null || missing+=(nodejs)
  command -v npm >/dev/null || missing+=(npm)
  chromium_program >/dev/null || missing+=(chromium)
  command -v curl >/dev/null || missing+=(curl)
  has_yaml || missing+=(python3-yaml)
  install_missing "${missing[@]}"
  for component in rustfmt clippy; do
    cargo "${component/rustfmt/fmt}" --version >/dev/null 2>&1 || rustup component add "$component"
  done
  for folder in api/tests/clients api/tests/clients/sdl api/tests/browser; do
    # npm keeps its own copy of the lock file beside what it installed.
    if [ ! "$folder/node_modules/.package-lock.json" -nt "$folder/package-lock.json" ]; then
      npm ci --prefix "$folder" --no-audit --no-fund
    fi
  done
}

# Checks docker-compose.yml with Compose where that is installed, else that it is YAML and names what it must.
check_compose() {
  local environment=(env JWT_SECRET=check POSTGRES_PASSWORD=check)
  if docker compose version >/dev/null 2>&1; then
    "${environment[@]}" docker compose --file docker-compose.yml config --quiet
  elif command -v docker-compose >/dev/null; then
    "${environment[@]}" docker-compose --file docker-compose.yml config --quiet
  else
    python3 - <<'PYTHON'
import yaml
services = yaml.safe_load(open('docker-compose.yml'))['services']
assert set(services) == {'postgres', 'redis', 'api', 'worker'}, sorted(services)
for name, service in services.items():
    assert 'image' in service or 'build' in service, name
    assert 'healthcheck' in service, name
    for needed, how in service.get('depends_on', {}).items():
        assert needed in services and how['condition'] == 'service_healthy', (name, needed)
print('docker-compose.yml is well-formed (read as YAML: Compose is not installed)')
PYTHON
  fi
}
