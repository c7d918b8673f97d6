#!/bin/sh
# Become a container on the folder ROOT and run a command in it: container.sh ROOT [ro|rw] [net|lo] COMMAND…
#
# What an engine would do, as far as the kernel is concerned: namespaces of mounts, processes, IPC and names, a root that
# is pivoted to (a changed root alone allows no user namespaces, so no sandbox and no browser's own), a /proc, /dev and
# /tmp of its own. `lo` is a network of its own with loopback alone. BINDS (source:target or source:target:ro, separated
# by spaces) are seen as well. Called as root; user, capabilities and filters are the command's to give up (setpriv).
set -eu
ROOT=$1 MODE=$2 NETWORK=$3
shift 3
if [ -z "${INSIDE_CONTAINER:-}" ]; then
  if [ "$NETWORK" = lo ]; then net=--net; else net=; fi
  INSIDE_CONTAINER=1 exec unshare --mount --pid --ipc --uts $net --fork --kill-child -- "$0" "$ROOT" "$MODE" "$NETWORK" "$@"
fi
unset INSIDE_CONTAINER
if [ "$NETWORK" = lo ]; then ip link set lo up; fi
mount --make-rprivate /
mount --bind "$ROOT" "$ROOT"
cd "$ROOT"
mkdir -p proc dev tmp run sys data .old
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t tmpfs -o mode=755,size=1m tmpfs dev
for device in null:3 zero:5 full:7 random:8 urandom:9; do
  mknod -m 666 "dev/${device%:*}" c 1 "${device#*:}"
done
mknod -m 666 dev/tty c 5 0
ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin
ln -s /proc/self/fd/1 dev/stdout
ln -s /proc/self/fd/2 dev/stderr
mkdir -m 755 dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666 devpts dev/pts
ln -s pts/ptmx dev/ptmx
# As much as an engine gives by default.
mount -t tmpfs -o mode=1777,size=64m tmpfs dev/shm
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
for bind in ${BINDS:-}; do
  source=${bind%%:*} target=.${bind#*:}
  case $target in *:ro) target=${target%:ro} writable= ;; *) writable=yes ;; esac
  if [ -d "$source" ]; then mkdir -p "$target"; elif [ ! -e "$target" ]; then mkdir -p "$(dirname "$target")"; : > "$target"; fi
  mount --bind "$source" "$target"
  if [ -z "$writable" ]; then mount -o remount,ro,bind "$target"; fi
done
hostname greenlight
pivot_root . .old
cd /
umount -l /.old
if [ "$MODE" = ro ]; then mount -o remount,ro,bind /; fi
exec "$@"
