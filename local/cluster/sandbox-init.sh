#!/bin/sh
# First program inside the cluster's own network, mount and process namespaces: makes them ready, then becomes the
# supervisor (process 1). When that ends, the kernel ends every process and takes away every mount, interface and
# firewall rule made in here.
# Arguments: state folder, binaries folder, address of the node. File descriptor 3: the host's network namespace.
set -eu
state=$1 binaries=$2 address=$3
exec 4<"$state" 5<"$binaries"

mount --make-rshared /

# Programs write where they always do; folders of the host stay as they are.
for folder in /run /var/lib /var/log; do mount -t tmpfs -o mode=755 tmpfs "$folder"; done
mkdir -p /run/cluster /run/cluster-bin /run/services /run/sysctl /var/lib/kubelet
mount --no-canonicalize --bind /proc/self/fd/4 /run/cluster
mount --no-canonicalize --bind /proc/self/fd/5 /run/cluster-bin
mount --bind /run/cluster/kubelet /var/lib/kubelet
: >/run/host-network
mount --no-canonicalize --bind /proc/self/fd/3 /run/host-network
exec 3<&- 4<&- 5<&-

# Settings of the whole machine's kernel that kubelet would write: it finds them as it wants them and leaves them alone.
while read -r name value; do
  [ -e "/proc/sys/$(echo "$name" | tr . /)" ] || continue
  echo "$value" >"/run/sysctl/$name"
  mount --bind "/run/sysctl/$name" "/proc/sys/$(echo "$name" | tr . /)"
done <<END
vm.overcommit_memory 1
vm.panic_on_oom 0
kernel.panic 10
kernel.panic_on_oops 1
kernel.keys.root_maxkeys 1000000
kernel.keys.root_maxbytes 25000000
END

ip link set lo up
ip link add node0 type bridge
ip address add "$address/32" dev node0
ip link set node0 up
echo 1 >/proc/sys/net/ipv4/ip_forward

cd /run/cluster
exec s6-svscan /run/cluster/services
