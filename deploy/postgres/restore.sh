#!/usr/bin/env bash
# Restores a backup of backup.sh into databases that are empty, or not there yet.
#
#   DATABASE_URL=postgresql://… GREENLIGHT_DAGSTER_DATABASE_URL=postgresql://… GREENLIGHT_DATA_DIR=/srv/greenlight \
#     deploy/postgres/restore.sh /srv/backups/greenlight/2026-03-08T01-30-00-000000Z
#
# Everything is stopped meanwhile. It checks the checksums, makes the databases and the roles that are missing,
# restores, unpacks the artifacts beside what is there, and says what to run next. It overwrites nothing: a database
# with tables in it is refused. The user of DATABASE_URL may create databases and roles, or they are there.
set -euo pipefail
umask 077

fail() { echo "restore: $*" >&2; exit 1; }
[[ $# -eq 1 && -f "$1/SHA256SUMS" ]] || fail "say what: restore.sh BACKUP"
PATH="${PG_BIN:+$PG_BIN:}$PATH"
backup="$(cd "$1" && pwd)"
studio="${GREENLIGHT_MIGRATE_URL:-${GREENLIGHT_LISTEN_URL:-${DATABASE_URL:-}}}"
[[ -n "$studio" ]] || fail "DATABASE_URL is not set"
dagster="${GREENLIGHT_DAGSTER_DATABASE_URL:-}"
dagster="${dagster/postgresql+psycopg2:/postgresql:}"
(cd "$backup" && sha256sum --quiet --check SHA256SUMS) || fail "$backup is damaged"

ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname "$1" --command "$2"; }
# The name of a URL's database.
name_in() {
  local path="${1#*://}"
  path="${path%%\?*}"
  [[ "$path" == */* ]] || fail "the URL names no database"
  path="${path#*/}"
  printf '%b' "${path//%/\\x}"
}
# The same server's database that every server has.
maintenance_of() {
  local rest="${1#*://}" query=""
  [[ "$rest" == *\?* ]] && query="?${rest#*\?}"
  rest="${rest%%\?*}"
  echo "${1%%://*}://${rest%%/*}/postgres$query"
}

restore() {
  local url="$1" dump="$2" name
  name="$(name_in "$url")"
  # Where there is no such database yet, it is made by way of the one that every server has.
  if ! ask "$url" "select 1" >/dev/null 2>&1; then
    ask "$(maintenance_of "$url")" "create database \"$name\" template template0" >/dev/null
  fi
  local tables
  tables="$(ask "$url" "select count(*) from pg_class c join pg_namespace n on n.oid = c.relnamespace
    where n.nspname = 'public' and c.relkind in ('r', 'p')")"
  [[ "$tables" == 0 ]] || fail "the database $name holds $tables tables: give an empty one"
  pg_restore --exit-on-error --single-transaction --no-owner --dbname "$url" "$dump"
}

# Roles belong to the server, so no dump of a database has them. On a managed one nobody may give away BYPASSRLS, and
# nothing but an API of Supabase's kind would use it.
roles() {
  ask "$1" "do \$\$ declare r text; begin
    foreach r in array array['anon', 'authenticated', 'service_role'] loop
      if not exists (select from pg_roles where rolname = r) then
        begin
          execute format('create role %I nologin noinherit %s', r,
                         case r when 'service_role' then 'bypassrls' else '' end);
        exception when insufficient_privilege then
          execute format('create role %I nologin noinherit', r);
        end;
      end if;
    end loop; end \$\$" >/dev/null
}

roles "$(maintenance_of "$studio")"
restore "$studio" "$backup/studio.dump"
if [[ -n "$dagster" && -f "$backup/dagster.dump" ]]; then
  restore "$dagster" "$backup/dagster.dump"
fi
if [[ -n "${GREENLIGHT_DATA_DIR:-}" && -f "$backup/artifacts.tar" ]]; then
  mkdir -p "$GREENLIGHT_DATA_DIR"
  # Files are never changed under their name, so one that is there is the same.
  tar --extract --skip-old-files --file "$backup/artifacts.tar" --directory "$GREENLIGHT_DATA_DIR"
fi
moment="$(sed -n 's/^restored_to=//p' "$backup/manifest")"
echo "Restored to $moment. Before anything is started:"
echo "  greenlight db migrate && greenlight db after-restore --to $moment"
