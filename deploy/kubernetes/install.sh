#!/bin/sh
# Install both releases, or upgrade them to $TAG. The variables are those of README.md, the values are the first argument's.
set -eu
: "${NAMESPACE:?}" "${IMAGE:?}" "${TAG:?}" "${STUDIO:?}" "${PAGES:?}" "${DAGSTER:?}" "${DB_HOST:?}" "${DB_USER:?}"
: "${SUPABASE_URL?}" "${DAGSTER_CHARTS:?}" "${DAGSTER_VERSION:?}"
values=${1:?which values? For example my-values.yaml}
here=$(dirname "$0")

helm upgrade --install greenlight "$here/greenlight" -n "$NAMESPACE" -f "$values" \
  --set image.repository="$IMAGE" --set-string image.tag="$TAG" --set settings.SUPABASE_URL="$SUPABASE_URL" \
  --set hosts.studio="$STUDIO" --set hosts.pages="$PAGES" --set hosts.dagster="$DAGSTER" --wait --timeout 30m
helm repo add dagster "$DAGSTER_CHARTS" --force-update
helm upgrade --install dagster dagster/dagster --version "$DAGSTER_VERSION" -n "$NAMESPACE" -f "$here/dagster-values.yaml" \
  --set postgresql.postgresqlHost="$DB_HOST" --set postgresql.postgresqlUsername="$DB_USER" \
  --set dagsterWebserver.image.repository="$IMAGE" --set-string dagsterWebserver.image.tag="$TAG" \
  --set dagsterDaemon.image.repository="$IMAGE" --set-string dagsterDaemon.image.tag="$TAG" \
  --set "dagster-user-deployments.deployments[0].image.repository=$IMAGE" \
  --set-string "dagster-user-deployments.deployments[0].image.tag=$TAG" --wait --timeout 15m
# The settings are another release's, so Dagster's chart does not see when they change.
kubectl rollout restart deployment -n "$NAMESPACE" -l app.kubernetes.io/instance=dagster
kubectl rollout status deployment -n "$NAMESPACE" -l app.kubernetes.io/instance=dagster --timeout 10m
