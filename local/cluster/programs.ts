import { inside, network } from './layout.ts';

/** A program of the cluster that the supervisor keeps running. */
export interface Program {
  readonly name: string;
  readonly command: readonly string[];
  /** The relays' outer halves listen on the host's loopback; everything else lives in the cluster's own network. */
  readonly onHostNetwork?: boolean;
  /** Signal that ends it; SIGTERM unless given. */
  readonly endedBy?: 'SIGKILL';
  /** TCP port (inside, unless on the host's network) or Unix socket (path inside) that is open once it works. */
  readonly ready: number | string;
}

export interface Ports {
  /** On the host's 127.0.0.1. */
  readonly https: number;
  readonly api: number;
}

const config = `${inside.state}/config`;
const pki = `${inside.state}/pki`;
const sockets = `${inside.state}/sockets`;
const own = (name: string) => `${inside.binaries}/${name}`;

/** In order of need. The first group must work before the rest is started. */
export function foundation(ports: Ports): Program[] {
  return [etcd(), containerd(), apiServer(), ...relay('api', ports.api, network.apiPort)];
}

export function everythingElse(ports: Ports): Program[] {
  return [
    controllerManager(),
    scheduler(),
    kubelet(),
    {
      name: 'kube-proxy',
      command: [own('kube-proxy'), `--config=${config}/kube-proxy.json`],
      ready: 10256,
    },
    {
      name: 'coredns',
      command: [own('coredns'), '-conf', `${config}/Corefile`],
      ready: network.dnsReadyPort,
    },
    localPathProvisioner(),
    contour(),
    envoy(),
    ...relay('https', ports.https, network.ingressHttpsPort),
  ];
}

function etcd(): Program {
  const url = `http://127.0.0.1:${network.etcdPort}`;
  return {
    name: 'etcd',
    command: [
      'etcd',
      '--name=local',
      `--data-dir=${inside.state}/etcd`,
      `--listen-client-urls=${url}`,
      `--advertise-client-urls=${url}`,
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--initial-advertise-peer-urls=http://127.0.0.1:2380',
      '--initial-cluster=local=http://127.0.0.1:2380',
      '--logger=zap',
      '--log-level=warn',
    ],
    ready: network.etcdPort,
  };
}

function containerd(): Program {
  return {
    name: 'containerd',
    command: ['containerd', '--config', `${config}/containerd.toml`, '--log-level', 'warn'],
    ready: inside.containerdSocket,
  };
}

function apiServer(): Program {
  return {
    name: 'kube-apiserver',
    command: [
      own('kube-apiserver'),
      `--etcd-servers=http://127.0.0.1:${network.etcdPort}`,
      `--advertise-address=${network.nodeAddress}`,
      `--secure-port=${network.apiPort}`,
      `--service-cluster-ip-range=${network.serviceRange}`,
      '--authorization-mode=Node,RBAC',
      '--enable-admission-plugins=NodeRestriction',
      '--allow-privileged=true',
      '--service-account-issuer=https://kubernetes.default.svc.cluster.local',
      `--service-account-key-file=${pki}/service-account.key`,
      `--service-account-signing-key-file=${pki}/service-account.key`,
      `--client-ca-file=${pki}/ca.crt`,
      `--tls-cert-file=${pki}/api-server.crt`,
      `--tls-private-key-file=${pki}/api-server.key`,
      `--kubelet-certificate-authority=${pki}/ca.crt`,
      `--kubelet-client-certificate=${pki}/admin.crt`,
      `--kubelet-client-key=${pki}/admin.key`,
      '--kubelet-preferred-address-types=InternalIP',
      `--audit-policy-file=${config}/audit-policy.json`,
      `--audit-log-path=${inside.state}/logs/audit.log`,
      '--profiling=false',
    ],
    ready: network.apiPort,
    // It keeps nothing itself, and would wait a minute for clients and an etcd that are leaving too.
    endedBy: 'SIGKILL',
  };
}

function controllerManager(): Program {
  return {
    name: 'kube-controller-manager',
    command: [
      own('kube-controller-manager'),
      `--kubeconfig=${config}/controller-manager.kubeconfig`,
      '--leader-elect=false',
      '--use-service-account-credentials',
      `--root-ca-file=${pki}/ca.crt`,
      `--service-account-private-key-file=${pki}/service-account.key`,
      '--bind-address=127.0.0.1',
      '--flex-volume-plugin-dir=/var/lib/kubelet/volume-plugins',
      '--attach-detach-reconcile-sync-period=10m',
      '--profiling=false',
    ],
    ready: 10257,
  };
}

function scheduler(): Program {
  return {
    name: 'kube-scheduler',
    command: [
      own('kube-scheduler'),
      `--kubeconfig=${config}/scheduler.kubeconfig`,
      '--leader-elect=false',
      '--bind-address=127.0.0.1',
      '--profiling=false',
    ],
    ready: 10259,
  };
}

function kubelet(): Program {
  return {
    name: 'kubelet',
    command: [
      own('kubelet'),
      `--config=${config}/kubelet.json`,
      `--kubeconfig=${config}/kubelet.kubeconfig`,
      `--hostname-override=${network.nodeName}`,
      `--node-ip=${network.nodeAddress}`,
    ],
    ready: 10250,
  };
}

function localPathProvisioner(): Program {
  return {
    name: 'local-path-provisioner',
    command: [
      own('local-path-provisioner'),
      'start',
      `--kubeconfig=${config}/admin.kubeconfig`,
      `--config=${config}/local-path.json`,
      `--helper-pod-file=${config}/local-path-helper.json`,
      '--namespace=local-path-storage',
      '--service-account-name=default',
    ],
    // It opens no port; the API server, which it needs, stands for it.
    ready: network.apiPort,
  };
}

function contour(): Program {
  const listen = (kind: string, port: number) => [`--${kind}-address=127.0.0.1`, `--${kind}-port=${port}`];
  return {
    name: 'contour',
    command: [
      own('contour'),
      'serve',
      `--config-path=${config}/contour.json`,
      `--kubeconfig=${config}/admin.kubeconfig`,
      '--disable-leader-election',
      '--ingress-class-name=contour',
      '--ingress-status-address=127.0.0.1',
      '--insecure', // between two programs on a loopback interface of their own
      ...listen('xds', network.xdsPort),
      ...listen('stats', 8002),
      ...listen('http', 8000),
      ...listen('health', 8003),
      ...listen('debug-http', 6060),
      ...listen('envoy-service-http', network.ingressHttpPort),
      ...listen('envoy-service-https', network.ingressHttpsPort),
    ],
    ready: network.xdsPort,
  };
}

function envoy(): Program {
  return {
    name: 'envoy',
    command: [
      own('envoy'),
      '--config-path',
      `${config}/envoy.json`,
      '--service-cluster',
      'projectcontour',
      '--service-node',
      network.nodeName,
      '--concurrency',
      '1',
      '--log-level',
      'warning',
      '--disable-hot-restart',
    ],
    ready: 8002,
  };
}

/**
 * A way from a port of the host's loopback to a port inside: two halves that meet in a Unix socket, the one thing
 * that both networks share.
 */
function relay(name: string, hostPort: number, insidePort: number): Program[] {
  const socket = `${sockets}/${name}.sock`;
  // After one side has closed, the other may still have much to say.
  const socat = ['socat', '-t', '3600'];
  return [
    {
      name: `relay-${name}-inside`,
      command: [
        ...socat,
        `UNIX-LISTEN:${socket},fork,unlink-early,mode=600,backlog=128`,
        `TCP4:127.0.0.1:${insidePort},nodelay`,
      ],
      ready: socket,
    },
    {
      name: `relay-${name}-host`,
      command: [
        ...socat,
        `TCP4-LISTEN:${hostPort},bind=127.0.0.1,fork,reuseaddr,nodelay,backlog=128`,
        `UNIX-CONNECT:${socket}`,
      ],
      onHostNetwork: true,
      ready: hostPort,
    },
  ];
}
