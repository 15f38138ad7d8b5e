import * as pulumi from '@pulumi/pulumi';

const config = new pulumi.Config();
export const site = config.require('site');
export const sizes = config.requireObject<Record<string, number>>('sizes');
export const token = config.requireSecret('token');
