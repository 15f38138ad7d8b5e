import { inside, type Layout, network } from './layout.ts';
import { nodeImage } from './node-image.ts';

/** Files of the programs' own settings, by name in the `config` folder. All paths in them are those inside. */
export function configurationFiles(layout: Layout): Record<string, string> {
  return {
    'containerd.toml': containerd(),
    'cni/10-scipion.conflist': json(cni()),
    'audit-policy.json': json(auditPolicy()),
    'kubelet.json': json(kubelet(layout)),
    'kube-proxy.json': json(kubeProxy()),
    Corefile: corefile(),
    'contour.json': json(contour()),
    'local-path.json': json(localPath()),
    'local-path-helper.json': json(localPathHelper()),
  };
}

const config = `${inside.state}/config`;
const pki = `${inside.state}/pki`;

function containerd(): string {
  return `version = 2
root = "${inside.state}/containerd"
state = "/run/containerd"
disabled_plugins = [
  "io.containerd.snapshotter.v1.aufs",
  "io.containerd.snapshotter.v1.btrfs",
  "io.containerd.snapshotter.v1.devmapper",
  "io.containerd.snapshotter.v1.zfs",
  "io.containerd.tracing.processor.v1.otlp",
  "io.containerd.internal.v1.tracing",
]
# A container may not be made safer from the out-of-memory killer than containerd itself is: the machine may refuse it.
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "${nodeImage}"
  tolerate_missing_hugetlb_controller = true
  disable_apparmor = true
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "overlayfs"
  discard_unpacked_layers = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "${config}/cni"
[plugins."io.containerd.internal.v1.opt"]
  path = "${inside.state}/containerd/opt"
`;
}

/**
 * Every pod has a link of its own to the node (ptp) instead of a place on a shared bridge: all traffic passes the
 * node's firewall, so Services work between pods without the kernel's bridge filtering.
 */
function cni(): object {
  return {
    cniVersion: '0.4.0',
    name: 'scipion',
    plugins: [
      {
        type: 'ptp',
        ipam: {
          type: 'host-local',
          dataDir: '/run/cni/networks',
          ranges: [[{ subnet: network.podRange }]],
          routes: [{ dst: '0.0.0.0/0' }],
        },
      },
    ],
  };
}

/** Who asks what, of service accounts outside the cluster's own namespace: shows which rights are used. */
function auditPolicy(): object {
  const rules = [
    { level: 'None', userGroups: ['system:serviceaccounts:kube-system'] },
    { level: 'Metadata', userGroups: ['system:serviceaccounts'] },
  ];
  return { apiVersion: 'audit.k8s.io/v1', kind: 'Policy', omitStages: ['RequestReceived'], rules };
}

function kubelet(layout: Layout): object {
  return {
    apiVersion: 'kubelet.config.k8s.io/v1beta1',
    kind: 'KubeletConfiguration',
    containerRuntimeEndpoint: `unix://${inside.containerdSocket}`,
    address: network.nodeAddress,
    authentication: {
      anonymous: { enabled: false },
      webhook: { enabled: true },
      x509: { clientCAFile: `${pki}/ca.crt` },
    },
    authorization: { mode: 'Webhook' },
    tlsCertFile: `${pki}/kubelet-server.crt`,
    tlsPrivateKeyFile: `${pki}/kubelet-server.key`,
    rotateCertificates: false,
    clusterDNS: [network.nodeAddress],
    clusterDomain: network.clusterDomain,
    // The machine's name servers are out of reach from inside.
    resolvConf: '',
    cgroupDriver: 'cgroupfs',
    cgroupRoot: `/${layout.controlGroup}`,
    failCgroupV1: false,
    failSwapOn: false,
    localStorageCapacityIsolation: false,
    // Images are imported, never pulled: none may be thrown away because a developer's disk is rather full.
    imageGCHighThresholdPercent: 100,
    imageGCLowThresholdPercent: 99,
    evictionHard: { 'memory.available': '100Mi', 'nodefs.available': '500Mi', 'imagefs.available': '500Mi' },
    podLogsDir: '/run/cluster/logs/pods',
    volumePluginDir: '/var/lib/kubelet/volume-plugins',
    healthzPort: 10248,
    // How long a changed Secret or ConfigMap takes to reach its files in a pod: a few pods cost nothing to look at.
    syncFrequency: '15s',
    // A machine with few processors idles most of the time; changes still arrive at once by watches.
    fileCheckFrequency: '5m',
    httpCheckFrequency: '5m',
    nodeStatusReportFrequency: '10m',
    volumeStatsAggPeriod: '5m',
    enableProfilingHandler: false,
    logging: { verbosity: 1 },
  };
}

function kubeProxy(): object {
  return {
    apiVersion: 'kubeproxy.config.k8s.io/v1alpha1',
    kind: 'KubeProxyConfiguration',
    mode: 'iptables',
    clientConnection: { kubeconfig: `${config}/kube-proxy.kubeconfig` },
    clusterCIDR: network.podRange,
    detectLocalMode: 'ClusterCIDR',
    hostnameOverride: network.nodeName,
    healthzBindAddress: '127.0.0.1:10256',
    metricsBindAddress: '127.0.0.1:10249',
    iptables: { localhostNodePorts: false, syncPeriod: '10m' },
    // Zero leaves the machine's limits of tracked connections alone.
    conntrack: { maxPerCore: 0, min: 0, tcpEstablishedTimeout: '0s', tcpCloseWaitTimeout: '0s' },
  };
}

/** Names outside the cluster do not exist for pods: the cluster has no way out. */
function corefile(): string {
  return `${network.clusterDomain}:53 in-addr.arpa:53 {
  bind ${network.nodeAddress}
  errors
  ready 127.0.0.1:${network.dnsReadyPort}
  kubernetes ${network.clusterDomain} in-addr.arpa {
    kubeconfig ${config}/admin.kubeconfig
    ttl 10
  }
  cache 10
}
.:53 {
  bind ${network.nodeAddress}
  errors
  template ANY ANY {
    rcode NXDOMAIN
  }
}
`;
}

/** A desktop that nobody moves in sends nothing for hours: no timeout may cut it. */
function contour(): object {
  return {
    incluster: false,
    'accesslog-format': 'envoy',
    timeouts: {
      'request-timeout': 'infinity',
      'stream-idle-timeout': 'infinity',
      'max-connection-duration': 'infinity',
    },
    tls: { 'minimum-protocol-version': '1.2' },
  };
}

function localPath(): object {
  return {
    nodePathMap: [{ node: 'DEFAULT_PATH_FOR_NON_LISTED_NODES', paths: [`${inside.state}/volumes`] }],
  };
}

function localPathHelper(): object {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'helper-pod' },
    spec: {
      priorityClassName: 'system-node-critical',
      containers: [{ name: 'helper-pod', image: nodeImage, imagePullPolicy: 'Never' }],
    },
  };
}

function json(value: object): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
