#!/usr/bin/env bash
# A logical backup: both databases and the artifacts' folder, with checksums, while everything runs.
#
#   DATABASE_URL=postgresql://… GREENLIGHT_DAGSTER_DATABASE_URL=postgresql://… GREENLIGHT_DATA_DIR=/srv/greenlight \
#     deploy/postgres/backup.sh /srv/backups/greenlight
#
# Makes /srv/backups/greenlight/<moment>/ with studio.dump, dagster.dump, artifacts.tar, manifest and SHA256SUMS, and
# keeps the newest KEEP (14) of its kind. With VERIFY=1 each dump is restored into a database of its own on the same
# server, looked at and dropped again. PG_BIN names the folder of programs that are as new as the server, where those in
# PATH are older.
#
# The URLs lead past a pooler (GREENLIGHT_MIGRATE_URL, GREENLIGHT_LISTEN_URL come before DATABASE_URL): a dump is one
# long transaction with settings of its own. What is no part of it: GREENLIGHT_DATA_DIR/secrets.json, or the secrets in
# the environment, without which stored credentials and sent links are worth nothing. Keep them elsewhere, once.
set -euo pipefail
umask 077

fail() { echo "backup: $*" >&2; exit 1; }
[[ $# -eq 1 ]] || fail "say where to: backup.sh FOLDER"
PATH="${PG_BIN:+$PG_BIN:}$PATH"
keep="${KEEP:-14}"
[[ "$keep" =~ ^[1-9][0-9]*$ ]] || fail "KEEP is how many backups to keep, at least 1"
studio="${GREENLIGHT_MIGRATE_URL:-${GREENLIGHT_LISTEN_URL:-${DATABASE_URL:-}}}"
[[ -n "$studio" ]] || fail "DATABASE_URL is not set"
dagster="${GREENLIGHT_DAGSTER_DATABASE_URL:-}"
dagster="${dagster/postgresql+psycopg2:/postgresql:}"

mkdir -p "$1"
root="$(cd "$1" && pwd)"
# Two at once would delete each other's.
exec 9>"$root/.lock"
flock -n 9 || fail "another backup into $root is under way"
partial="$root/.partial"
rm -rf "$partial"
mkdir "$partial"

ask() { psql --no-psqlrc --quiet --tuples-only --no-align --set ON_ERROR_STOP=1 --dbname "$1" --command "$2"; }

# What is no studio yet, or is another database by mistake, is no backup either.
schema="$(ask "$studio" "select max(version) from supabase_migrations.schema_migrations")" || fail "there is no studio in that database"
# Before the snapshot is taken, by the server's own clock: what happened after this may be missing.
moment="$(ask "$studio" "select to_char(clock_timestamp() at time zone 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')")"
pg_dump --format=custom --compress="${COMPRESS:-6}" --file "$partial/studio.dump" --dbname "$studio"
# Dagster's history may be newer than the studio's: `greenlight db after-restore` makes up for that.
if [[ -n "$dagster" ]]; then
  pg_dump --format=custom --compress="${COMPRESS:-6}" --file "$partial/dagster.dump" --dbname "$dagster"
fi
# After the databases: a file is written before its row, so that no row of the dump lacks its file.
artifacts="${GREENLIGHT_DATA_DIR:+$GREENLIGHT_DATA_DIR/artifacts}"
if [[ -n "$artifacts" && -d "$artifacts" ]]; then
  # A file that vanishes while it is read was none that a row of the dump names for long; tar says 1 of it.
  tar --create --file "$partial/artifacts.tar" --directory "$(dirname "$artifacts")" artifacts || [[ $? -eq 1 ]]
fi
version="$(ask "$studio" "show server_version")"
jobs="$(ask "$studio" "select count(*) from public.agent_jobs")"
cat >"$partial/manifest" <<END
restored_to=$moment
server_version=$version
schema=$schema
jobs=$jobs
END
(cd "$partial" && sha256sum -- * >SHA256SUMS)

# The same server's database $2, for a URL.
in_database() {
  local rest="${1#*://}" query=""
  [[ "$rest" == *\?* ]] && query="?${rest#*\?}"
  rest="${rest%%\?*}"
  echo "${1%%://*}://${rest%%/*}/$2$query"
}

# A dump that cannot be restored is none. In a shell of its own, at whose end the scratch database goes whatever happened,
# and where `set -e` does not count: bash forgets it in what is asked for its output.
verify() (
  base="$1" scratch="greenlight_verify_${BASHPID}"
  ask "$base" "create database $scratch template template0" >/dev/null || exit 1
  trap 'ask "$base" "drop database if exists $scratch with (force)" >/dev/null' EXIT
  there="$(in_database "$base" "$scratch")"
  pg_restore --exit-on-error --no-owner --dbname "$there" "$partial/$2" || exit 1
  ask "$there" "$3"
)
if [[ "${VERIFY:-0}" != 0 ]]; then
  jobs="$(verify "$studio" studio.dump "select count(*) >= 0 from public.agent_jobs")" || jobs=
  [[ "$jobs" == t ]] || fail "studio.dump cannot be restored"
  if [[ -n "$dagster" ]]; then
    # Before Dagster was first started its database is empty.
    table="$(ask "$dagster" "select coalesce(to_regclass('public.runs')::text, '(select 1) nothing')")"
    runs="$(verify "$dagster" dagster.dump "select count(*) >= 0 from $table")" || runs=
    [[ "$runs" == t ]] || fail "dagster.dump cannot be restored"
  fi
fi

name="${moment//[:.]/-}"
sync "$partial"/* "$partial"
mv "$partial" "$root/$name"
sync "$root"
# Only folders that this script has made, the oldest first.
find "$root" -mindepth 2 -maxdepth 2 -name SHA256SUMS -printf '%h\n' | sort | head -n "-$keep" | while read -r old; do
  rm -rf -- "$old"
done
echo "$root/$name"
