import * as pulumi from '@pulumi/pulumi';
import * as random from '@pulumi/random';
import { hashPassword } from '../sidecar/contract/password-hash.ts';
import { GATEWAY_SECRET_KEYS } from '../sidecar/contract/paths.ts';
import type { InstanceConfig } from '../stacks/load.ts';
import * as k8s from './kubernetes.ts';
import { metadata } from './manifests/metadata.ts';
import { NAMES } from './names.ts';

/**
 * What `gateway` needs to let the right person in: the hash of the desktop password and the key of its session
 * cookies. The password itself stays in the stack. Salt and key are generated once and kept, so that a second `pulumi up`
 * changes nothing and ends no session.
 */

export interface GatewayCredentialsArgs {
  readonly config: InstanceConfig;
  readonly dependsOn: readonly pulumi.Resource[];
}

/** 24 of 62 characters are 142 bits, and none needs quoting in a shell. */
const PASSWORD = { length: 24, special: false } as const;
/** What `hashPassword` takes. */
const SALT_BYTES = 16;
const SESSION_KEY_BYTES = 32;

export class GatewayCredentials extends pulumi.ComponentResource {
  readonly password: pulumi.Output<string>;
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: GatewayCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:GatewayCredentials', name, {}, opts);
    this.password = args.config.desktopPassword ?? this.drawPassword(name);
    this.resources = [this.createSecret(name, args)];
    this.registerOutputs();
  }

  private drawPassword(name: string): pulumi.Output<string> {
    return new random.RandomPassword(`${name}-password`, PASSWORD, { parent: this }).result;
  }

  private createSecret(name: string, { config, dependsOn }: GatewayCredentialsArgs): pulumi.Resource {
    const salt = new random.RandomBytes(`${name}-salt`, { length: SALT_BYTES }, { parent: this });
    const key = new random.RandomBytes(
      `${name}-session-key`,
      { length: SESSION_KEY_BYTES },
      { parent: this },
    );
    const hash = pulumi
      .all([this.password, salt.base64])
      .apply(([password, saltText]) => hashPassword(password, Buffer.from(saltText, 'base64')));
    const manifest = {
      metadata: metadata(config, NAMES.gatewaySecret, 'gateway'),
      type: 'Opaque',
      stringData: {
        [GATEWAY_SECRET_KEYS.passwordHash]: pulumi.secret(hash),
        [GATEWAY_SECRET_KEYS.sessionKey]: pulumi.secret(key.base64),
      },
    };
    return new k8s.Secret(name, manifest, { parent: this, dependsOn: [...dependsOn] });
  }
}
