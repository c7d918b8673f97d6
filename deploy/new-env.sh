#!/bin/sh
# Make deploy/.env for one box: new-env.sh STUDIO_HOST PAGES_HOST [EMAIL]. It makes every secret, once: links that were
# sent and credentials that were stored are worth nothing without them, so a file that is there is never touched.
set -eu
cd "$(dirname "$0")"
if [ $# -lt 2 ]; then
  echo "usage: $0 studio.example.org pages.example.org [you@example.org]" >&2
  exit 2
fi
if [ "$1" = "$2" ]; then
  echo "The studio and the published pages need two names: no session may go to pages that models have made." >&2
  exit 2
fi
if [ -e .env ]; then
  echo "deploy/.env is there already, with secrets that are in use. Nothing was changed." >&2
  exit 1
fi
hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
umask 077
{
  cat <<END
# Made by deploy/new-env.sh. Keep a copy with the backups, and away from them in public.
STUDIO_HOST=$1
PAGES_HOST=$2
CADDY_GLOBAL=${3:+email $3}

POSTGRES_PASSWORD=$(hex 24)
# A fleet's broker; one box has none.
REDIS_PASSWORD=$(hex 24)
# Signs links to files, confirmations and unsubscriptions.
GREENLIGHT_LINK_SECRET=$(hex 32)
# Encrypts the projects' own credentials: 32 bytes in base64.
PROJECT_INTEGRATION_ENCRYPTION_KEY=$(head -c 32 /dev/urandom | base64)
# Lets a monitor read /metrics: Authorization: Bearer …
WORKER_HEALTH_SECRET=$(hex 24)

END
  cat env.example
} > .env.new
# A name that is taken only when all of it is there.
mv .env.new .env
echo "Wrote deploy/.env. Add ANTHROPIC_API_KEY to it, and read the rest."
