import * as pulumi from '@pulumi/pulumi';

/** What a program must not do, and some do: it keeps things in its modules, and reads its stack while it is loaded. */
export const names: string[] = [];
export const stack = pulumi.getStack();
export const way = new pulumi.Config().get('way');
