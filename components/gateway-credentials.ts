import * as pulumi from '@pulumi/pulumi';
import * as random from '@pulumi/random';
import { hashPassword, isPasswordHash } from '../sidecar/contract/password-hash.ts';
import { GATEWAY_SECRET_KEYS } from '../sidecar/contract/paths.ts';
import { drawnNames } from '../stacks/drawn-credentials.ts';
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

/** In the place of a password that is known by its hash alone. */
const keptWords = (stack: string) =>
  'The password is the one from before the state was lost, which only its user knows. ' +
  `Set another: pulumi config set scipion:desktopPassword --secret --stack ${stack}`;

export class GatewayCredentials extends pulumi.ComponentResource {
  /** For the person who opens the desktop. */
  readonly password: pulumi.Output<string>;
  readonly resources: readonly pulumi.Resource[];

  constructor(name: string, args: GatewayCredentialsArgs, opts?: pulumi.ComponentResourceOptions) {
    super('scipion:instance:GatewayCredentials', name, {}, opts);
    const { desktopPassword, stack } = args.config;
    const password = desktopPassword ?? this.drawPassword(name);
    // After a lost state the hash in use stands in the place of the drawn password: see `stacks/drawn-credentials.ts`.
    const isHash = (text: string) => desktopPassword === undefined && isPasswordHash(text);
    this.password = password.apply((text) => (isHash(text) ? keptWords(stack) : text));
    const salt = new random.RandomBytes(drawnNames(name).salt, { length: SALT_BYTES }, { parent: this });
    const hash = pulumi
      .all([password, salt.base64])
      .apply(async ([text, saltText]) =>
        isHash(text) ? text : hashPassword(text, Buffer.from(saltText, 'base64')),
      );
    this.resources = [this.createSecret(name, args, hash)];
    this.registerOutputs();
  }

  private drawPassword(name: string): pulumi.Output<string> {
    return new random.RandomPassword(drawnNames(name).password, PASSWORD, { parent: this }).result;
  }

  private createSecret(
    name: string,
    { config, dependsOn }: GatewayCredentialsArgs,
    hash: pulumi.Output<string>,
  ): pulumi.Resource {
    const { sessionKey } = drawnNames(name);
    const key = new random.RandomBytes(sessionKey, { length: SESSION_KEY_BYTES }, { parent: this });
    const manifest = {
      metadata: metadata(config, NAMES.gatewaySecret, 'gateway'),
      type: 'Opaque',
      stringData: {
        [GATEWAY_SECRET_KEYS.passwordHash]: pulumi.secret(hash),
        [GATEWAY_SECRET_KEYS.sessionKey]: pulumi.secret(key.base64),
        ...(config.signInClientSecret === undefined
          ? {}
          : { [GATEWAY_SECRET_KEYS.signInClientSecret]: pulumi.secret(config.signInClientSecret) }),
      },
    };
    return new k8s.Secret(name, manifest, { parent: this, dependsOn: [...dependsOn] });
  }
}
