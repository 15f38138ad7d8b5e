import { PolicyPack } from '@pulumi/policy';
import { RESOURCE_RULES, STACK_RULES } from './rules.ts';

/** The rules as a policy pack of Pulumi: `pulumi preview --policy-pack policy`. Being made, it serves the engine. */
new PolicyPack('scipion-instances', {
  enforcementLevel: 'mandatory',
  policies: [
    ...RESOURCE_RULES.map(({ check, ...about }) => ({
      ...about,
      validateResource: (
        { type, name, props }: { type: string; name: string; props: Record<string, unknown> },
        report: (message: string) => void,
      ) => {
        for (const finding of check({ type, name, props })) report(finding);
      },
    })),
    ...STACK_RULES.map(({ check, ...about }) => ({
      ...about,
      validateStack: (
        { resources }: { resources: Parameters<typeof check>[0] },
        report: (message: string) => void,
      ) => {
        for (const finding of check(resources)) report(finding);
      },
    })),
  ],
});
