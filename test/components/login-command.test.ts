import { expect, test } from 'vitest';
import { hangingLogin } from '../../components/login-command.ts';

const login = (script: string, environment = {}) => ({
  command: 'sh',
  args: ['-c', script],
  environment,
  who: 'user "u" in ~/.kube/config',
  check: 'then check it: kubectl --context x auth whoami',
});

test('a login that ends says nothing, however it ends', async () => {
  expect(await hangingLogin(login('test "$GIVEN" = yes', { GIVEN: 'yes' }), 30)).toBeUndefined();
  expect(await hangingLogin(login('exit 1'), 30)).toBeUndefined();
  expect(await hangingLogin({ ...login(''), command: '/none/such' }, 30)).toBeUndefined();
});

test('one that does not end is named, with what to do, and waited for without end by the provider', async () => {
  const problem = await hangingLogin(login('sleep 60'), 0.2);
  expect(problem?.message).toMatch(
    /^The login command "sh" of user "u" in ~\/.kube\/config did not end within 0\.2 s; .*auth whoami$/,
  );
  expect(problem?.isEndless).toBe(true);
});
