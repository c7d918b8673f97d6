#!/bin/sh
# Print the environment of a worker host, on the control host: worker-env.sh ADDRESS NAME [LANES] > deploy/worker.env.
# ADDRESS is where workers reach this host in the private network, NAME what the worker host is called in the fleet, LANES
# what it is for. It is all that deploy/.env holds, less what is the control host's alone.
set -eu
if [ $# -lt 2 ] || [ $# -gt 3 ]; then
  echo "usage: (umask 077 && $0 10.0.0.1 worker-1 ['--lane heavy=2'] > deploy/worker.env)" >&2
  exit 2
fi
cd "$(dirname "$0")"
value() { sed -n "s/^$1=//p" .env | tail -n 1; }
if [ -z "$(value SUPABASE_URL)" ] && [ -z "$(value ARTIFACTS_DIR)" ]; then
  echo "A fleet needs one place for artifacts: set SUPABASE_URL and its key, or ARTIFACTS_DIR to a folder that all hosts" >&2
  echo "mount, in deploy/.env." >&2
  exit 1
fi
broker=$(value GREENLIGHT_BROKER_URL)
if [ -z "$broker" ] && [ -z "$(value REDIS_PASSWORD)" ]; then
  echo "REDIS_PASSWORD is missing in deploy/.env." >&2
  exit 1
fi
database=$(value DATABASE_URL)
dagster=$(value GREENLIGHT_DAGSTER_DATABASE_URL)
account=greenlight:$(value POSTGRES_PASSWORD)@$1:5432
studio=$(value STUDIO_HOST)
port=$(value DAGSTER_PORT)
cat <<END
# Made by deploy/worker-env.sh. It holds secrets: copy it over an encrypted line, with mode 600.
# Compose reads it as well as the worker: docker compose --env-file deploy/worker.env -f deploy/compose.worker.yaml …
WORKER_NAME=$2
WORKER_LANES=${3:---lane realtime=2 --lane standard=4 --lane heavy=1}
DATABASE_URL=${database:-postgresql://$account/greenlight}
GREENLIGHT_DAGSTER_DATABASE_URL=${dagster:-postgresql+psycopg2://$account/dagster}
GREENLIGHT_BROKER_URL=${broker:-redis://:$(value REDIS_PASSWORD)@$1:6379/0}
APP_BASE_URL=https://$studio
GREENLIGHT_PAGES_URL=https://$(value PAGES_HOST)
GREENLIGHT_DAGSTER_UI_URL=https://$studio:${port:-8443}
END
grep -E '^[A-Z_]+=.' .env | grep -vE '^(DATABASE_URL|GREENLIGHT_DAGSTER_DATABASE_URL|GREENLIGHT_BROKER_URL|STUDIO_HOST|PAGES_HOST|DAGSTER_PORT|CADDY_[A-Z]+|POSTGRES_[A-Z]+|REDIS_[A-Z]+|PROXY_ADDRESS|FRONT_[A-Z]+|PRIVATE_ADDRESS|BACKUP_[A-Z]+|WORKER_NAME|WORKER_LANES)='
