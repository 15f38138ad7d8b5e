import { createDecipheriv, pbkdf2 } from 'node:crypto';
import { promisify } from 'node:util';
import { EngineError } from './protocol.ts';

/**
 * AES-256-GCM in Pulumi's text form `v1:<nonce>:<ciphertext and tag>`, both base64; so a stack file written with
 * Pulumi's passphrase provider is read here too.
 * @see https://github.com/pulumi/pulumi/blob/master/sdk/go/common/resource/config/crypt.go
 */
const KEY_BYTES = 32;
const TAG_BYTES = 16;
/** Iterations of PBKDF2-SHA256; Pulumi's number. */
const ITERATIONS = 1_000_000;

/** @throws EngineError when the text is not of this form or the key is another one. */
export function decryptText(key: Uint8Array, sealedText: string): string {
  const [version, nonce, sealed, ...rest] = sealedText.split(':');
  if (version !== 'v1' || !nonce || !sealed || rest.length > 0) {
    throw new EngineError('a secret was found that is not of the form v1:<nonce>:<ciphertext>');
  }
  const bytes = Buffer.from(sealed, 'base64');
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(nonce, 'base64'), {
    authTagLength: TAG_BYTES,
  });
  try {
    decipher.setAuthTag(bytes.subarray(bytes.length - TAG_BYTES));
    return (
      decipher.update(bytes.subarray(0, bytes.length - TAG_BYTES), undefined, 'utf8') + decipher.final('utf8')
    );
  } catch (cause) {
    throw new EngineError(
      'a secret could not be decrypted: the key or passphrase is not the one it was made with',
      {
        cause,
      },
    );
  }
}

/**
 * The key of a stack file: its `encryptionsalt` (`v1:<salt>:<the word "pulumi", encrypted>`) and the passphrase.
 * @throws EngineError when the passphrase is wrong.
 */
export async function stackFileKey(encryptionSalt: string, passphrase: string): Promise<Uint8Array> {
  const [version, salt, ...check] = encryptionSalt.split(':');
  if (version !== 'v1' || !salt || check.length === 0) {
    throw new EngineError('encryptionsalt of the stack file: expected v1:<salt>:<check value>');
  }
  const key = await promisify(pbkdf2)(
    passphrase,
    Buffer.from(salt, 'base64'),
    ITERATIONS,
    KEY_BYTES,
    'sha256',
  );
  if (decryptText(key, check.join(':')) !== 'pulumi') throw new EngineError('the passphrase is wrong');
  return key;
}
