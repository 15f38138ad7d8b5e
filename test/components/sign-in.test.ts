import { expect, test } from 'vitest';
import { gatewayConfig } from '../../components/manifests/config-map.ts';
import { gatewayConfigSchema } from '../../sidecar/contract/config.ts';
import { CERTIFICATE } from '../helpers/certificate.ts';
import { instanceConfig } from '../helpers/instance-config.ts';
import { inputAt, placesOf, resourceOf, runInstance } from '../helpers/program.ts';

const SIGN_IN = {
  signInIssuer: 'https://login.example.org/realm',
  signInClientId: 'scipion',
  signInGroups: '["cryo-em"]',
};

test('the gateway is told where users sign in and who comes in', () => {
  const changes = {
    ...SIGN_IN,
    signInUsers: '["alice"]',
    signInUserClaim: 'preferred_username',
    signInScopes: '["openid","groups"]',
    signInCertificateAuthorities: CERTIFICATE,
    passwordLogin: 'false',
  };
  expect(gatewayConfigSchema.parse(gatewayConfig(instanceConfig(changes)))).toMatchObject({
    passwordLogin: false,
    signIn: {
      issuer: 'https://login.example.org/realm',
      clientId: 'scipion',
      scopes: ['openid', 'groups'],
      userClaim: 'preferred_username',
      users: ['alice'],
      groupClaim: 'groups',
      groups: ['cryo-em'],
      certificateAuthorities: CERTIFICATE.trim(),
    },
  });
  // What an older gateway does not know is not said where it is not needed.
  expect(Object.keys(gatewayConfig(instanceConfig()))).toEqual(['instance', 'publicOrigin']);
});

test('where no password opens the desktop, no command for it is shown', async () => {
  const run = await runInstance({ config: { ...SIGN_IN, passwordLogin: 'false' } });
  expect(run.errors).toEqual([]);
  expect(run.outputs.passwordCommand).toMatch(/^none: passwordLogin is false/);
});

test('the secret of the client is in the gateway’s Secret and nowhere else', async () => {
  const secret = 'canary of a client';
  const run = await runInstance({ config: SIGN_IN, secretConfig: { signInClientSecret: ` ${secret}\n` } });
  expect(run.errors).toEqual([]);
  const { inputs } = resourceOf(run.registrations, 'Secret', 'scipion-gateway');
  expect(inputAt(inputs, 'stringData', 'sign-in-client-secret')).toBe(secret);
  const places = run.registrations.flatMap(({ type, name, inputs: given, outputs }) => [
    ...placesOf('canary of a client', given, `${type.split(':').at(-1)} ${name}`),
    ...placesOf('canary of a client', outputs, `${type.split(':').at(-1)} ${name}`),
  ]);
  expect(places.length).toBeGreaterThan(0);
  expect(places.filter((place) => !/^Secret scipion-gateway\..* \(secret\)$/.test(place))).toEqual([]);
  expect(JSON.stringify([run.outputs, run.logs, run.printed])).not.toContain(secret);
});
