import fc from 'fast-check';

/**
 * Set-up of every test file: property tests run with the same seed each time, so that a failure is one of the change
 * and not of the day. `SYNC_SEED` asks for another one: a number, or `random`. A failure prints its seed and path.
 */
const given = process.env.SYNC_SEED;
const usual = 20_261_122;
if (given !== 'random')
  fc.configureGlobal({ ...fc.readConfigureGlobal(), seed: given === undefined ? usual : Number(given) });
