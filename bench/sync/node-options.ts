/** For each process of ours. With the folder `BENCH_CPU_PROFILE` it leaves a profile there when it ends. */
export function nodeOptions(): string[] {
  const profile = process.env.BENCH_CPU_PROFILE;
  return [
    '--disable-warning=ExperimentalWarning',
    ...(profile === undefined ? [] : ['--cpu-prof', `--cpu-prof-dir=${profile}`]),
  ];
}
