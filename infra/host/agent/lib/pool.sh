# What the driver really holds for enclaves.
# shellcheck shell=bash

# pool_size: how many vCPU the driver holds, of a list like `1-3,9`.
pool_size() {
  local file=$root/sys/module/nitro_enclaves/parameters/ne_cpus list part count=0
  list=$(tr -d '[:space:]' <"$file" 2>/dev/null || true)
  for part in ${list//,/ }; do
    if [[ $part =~ ^([0-9]+)-([0-9]+)$ ]]; then
      count=$((count + BASH_REMATCH[2] - BASH_REMATCH[1] + 1))
    elif [[ $part =~ ^[0-9]+$ ]]; then
      count=$((count + 1))
    fi
  done
  echo "$count"
}

# huge_mib: memory in huge pages of every size, taken or free.
huge_mib() {
  local folder kib pages sum=0
  for folder in "$root"/sys/kernel/mm/hugepages/hugepages-*kB; do
    [ -e "$folder/nr_hugepages" ] || continue
    kib=${folder##*hugepages-}
    kib=${kib%kB}
    pages=$(<"$folder/nr_hugepages")
    sum=$((sum + kib * pages))
  done
  echo $((sum / 1024))
}
