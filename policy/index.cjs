// The runner of policy packs knows `require` only, so it is given a promise of the module.
module.exports = import('./pack.ts');
