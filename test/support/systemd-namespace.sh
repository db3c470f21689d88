#!/usr/bin/env bash
# Boots systemd as PID 1 of its own namespaces, over an overlay of /, and ends with its standard input.
# $1: a folder with `files`, laid over /, and `run`, laid over /run; the PID of systemd, seen from outside, comes in `pid`.
# $2: the folder that is seen as /fake.
# Every mount lies in the namespace and ends with it; only the control group has to be removed.
set -euo pipefail
folder=$1
fake=$2

if [ "${3:-}" != inside ]; then
  hierarchy=$(awk '$3 == "cgroup2" { print $2; exit }' /proc/self/mounts)
  group=${hierarchy:?no cgroup2 hierarchy is mounted}/${folder##*/}
  mkdir "$group"
  # The namespace's processes are gone before the groups are removed; the kernel may still be counting them out.
  # shellcheck disable=SC2317 # called by the trap
  cleanup() {
    kill -KILL "$namespace" 2>/dev/null || true
    wait "$namespace" 2>/dev/null || true
    for _ in {1..100}; do
      find "$group" -depth -type d -exec rmdir {} + 2>/dev/null || true
      [ -d "$group" ] || break
      sleep 0.05
    done
  }
  # The group is the root of the namespace's view, so the namespace has to be made from inside it.
  (echo "$BASHPID" >"$group/cgroup.procs" && exec unshare --pid --mount --cgroup --uts --ipc --fork --kill-child=KILL \
    --propagation private -- "$0" "$folder" "$fake" inside </dev/null) &
  namespace=$!
  trap cleanup EXIT
  until pid=$(cat "/proc/$namespace/task/$namespace/children") && [ -n "$pid" ]; do
    kill -0 "$namespace"
    sleep 0.02
  done
  echo "${pid% }" >"$folder/pid"
  cat <&0 >/dev/null &
  wait -n
  exit
fi

disk=$folder/disk
mkdir "$disk"
mount -t tmpfs tmpfs "$disk"
mkdir "$disk/upper" "$disk/work" "$disk/root"
root=$disk/root
mount -t overlay overlay -o "lowerdir=/,upperdir=$disk/upper,workdir=$disk/work" "$root"
# Of the units of this machine only the targets and what they need: its services stay out.
mount -t tmpfs tmpfs "$root/etc/systemd/system"
mount -t tmpfs tmpfs "$root/usr/lib/systemd/system/sysinit.target.wants"
mount -t tmpfs tmpfs "$root/usr/lib/systemd/system-generators"
cp -a "$folder/files/." "$root/"
mount -t proc proc "$root/proc"
for place in sys dev run tmp; do mount -t tmpfs tmpfs "$root/$place"; done
for node in null zero full random urandom; do
  : >"$root/dev/$node"
  mount --bind "/dev/$node" "$root/dev/$node"
done
: >"$root/dev/console"
mount --bind /dev/null "$root/dev/console"
ln -s /proc/self/fd "$root/dev/fd"
mkdir -p "$root/sys/fs/cgroup" "$root/sys/module/nitro_enclaves/parameters" \
  "$root/sys/kernel/mm/hugepages/hugepages-2048kB" "$root/run/cloud-init" "$root/run/nitro_enclaves" "$root/fake" "$root/dev/shm"
mount -t cgroup2 cgroup2 "$root/sys/fs/cgroup"
cp -a "$folder/run/." "$root/run/"
mount --bind "$fake" "$root/fake"
mkdir "$root/run/old"
cd "$root"
pivot_root . run/old
umount -l /run/old
exec env -i container=namespace PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
  /lib/systemd/systemd --system --unit=basic.target --show-status=no --log-target=console --log-level=warning </dev/null
