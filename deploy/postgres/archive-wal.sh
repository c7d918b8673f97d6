#!/usr/bin/env bash
# PostgreSQL's archive_command: archive_command = '/path/to/archive-wal.sh "%p" "%f" /srv/wal'
#
# A segment is there whole or not at all, also after a power cut, and never replaces another one of its name
# (https://www.postgresql.org/docs/current/continuous-archiving.html). Exit 0 means that the server may forget it.
set -euo pipefail
umask 077

path="$1" name="$2" archive="$3"
target="$archive/$name"
if [[ -e "$target" ]]; then
  # The server asks again where it did not hear the answer.
  cmp --silent -- "$path" "$target" && exit 0
  echo "archive-wal: $target is there, and another one" >&2
  exit 1
fi
partial="$archive/.$name.$$"
trap 'rm -f -- "$partial"' EXIT
cp -- "$path" "$partial"
sync -- "$partial"
# A link, not a rename: of two servers that archive to one place by mistake only one wins.
ln -- "$partial" "$target"
sync -- "$archive"
