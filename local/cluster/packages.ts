/** Debian packages that the embedded cluster runs on; everything else is built from Go modules. */
export const clusterPackages = [
  'busybox-static', // content of the pause and volume helper image
  'conntrack',
  'containerd',
  'containernetworking-plugins',
  'etcd-server',
  'iproute2',
  'iptables',
  'openssl',
  'runc',
  's6', // starts and watches the cluster's programs
  'socat',
  'unzip',
  'util-linux',
] as const;
