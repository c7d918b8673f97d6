#!/usr/bin/env bash
# A base backup of the whole server, from which, with the archived log, any later moment can be restored.
#
#   PGHOST=… PGUSER=replicator deploy/postgres/base-backup.sh /srv/base /srv/wal
#
# Makes /srv/base/<moment>/, checks it, keeps the newest KEEP (3) and of the log in /srv/wal what the oldest of them
# needs. PG_BIN names the folder of the server's programs. The connection is libpq's variables (PGHOST, PGPORT, PGUSER,
# …), of a role with REPLICATION; the server has archiving.conf.
set -euo pipefail
umask 077

fail() { echo "base-backup: $*" >&2; exit 1; }
[[ $# -eq 2 && -d "$2" ]] || fail "say where to, and where the log is: base-backup.sh FOLDER WAL"
PATH="${PG_BIN:+$PG_BIN:}$PATH"
keep="${KEEP:-3}"
[[ "$keep" =~ ^[1-9][0-9]*$ ]] || fail "KEEP is how many backups to keep, at least 1"
mkdir -p "$1"
root="$(cd "$1" && pwd)" wal="$(cd "$2" && pwd)"
exec 9>"$root/.lock"
flock -n 9 || fail "another backup into $root is under way"
partial="$root/.partial"
rm -rf "$partial"
# With the log that it needs by itself, so that it can be restored without the archive, too.
pg_basebackup --pgdata "$partial" --checkpoint fast --wal-method stream --manifest-checksums SHA256
if pg_verifybackup --version >/dev/null 2>&1; then
  pg_verifybackup --quiet "$partial"
else
  # Some builds of the server come without a pg_verifybackup that runs; the manifest says what it would compare.
  python3 - "$partial" <<'END' || fail "the backup is not what its manifest says"
import hashlib, json, pathlib, sys
root = pathlib.Path(sys.argv[1])
for entry in json.loads((root / "backup_manifest").read_text())["Files"]:
    name = entry.get("Path") or bytes.fromhex(entry["Encoded-Path"]).decode()
    found = hashlib.sha256((root / name).read_bytes()).hexdigest()
    if found != entry["Checksum"].lower():
        sys.exit(f"{name} has another checksum")
END
fi
name="$(date --utc +%Y-%m-%dT%H-%M-%SZ)"
mv "$partial" "$root/$name"
sync "$root"
made() { find "$root" -mindepth 2 -maxdepth 2 -name "$1" | sort; }
made backup_manifest | head -n "-$keep" | while read -r old; do
  rm -rf -- "$(dirname "$old")"
done
# The first segment that the oldest backup needs is in its label.
oldest="$(made backup_label | head -n 1)"
first="$(sed -n 's/^START WAL LOCATION: .*(file \([0-9A-F]\{24\}\))$/\1/p' "$oldest")"
[[ -n "$first" ]] || fail "$oldest names no segment"
pg_archivecleanup "$wal" "$first"
echo "$root/$name"
