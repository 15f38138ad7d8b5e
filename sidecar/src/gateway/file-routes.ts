import type { Readable } from 'node:stream';
import type { FastifyInstance, FastifyReply, FastifyRequest } from 'fastify';
import * as z from 'zod';
import { LOGGED_OUT, PAGE_OUTDATED } from './action-routes.ts';
import { sendFile } from './download.ts';
import type { LiveView } from './live-view.ts';
import { FilesError, type ProjectFiles } from './project-files.ts';
import { shortId } from './routes.ts';
import type { CookieSessions, Session } from './sessions.ts';
import type { Uploads } from './uploads.ts';

const MAX_DOWNLOADS = 8;
const beginSchema = z.strictObject({
  path: z.string(),
  size: z.int().min(0),
  /** Negative: before 1970. */
  modified: z.int(),
  attempt: z.string().regex(/^[0-9a-f]{32}$/),
});
const partSchema = z.strictObject({ offset: z.coerce.number().int().min(0) });
const idSchema = z.string().regex(/^[0-9a-f]{32}$/);
const pathSchema = z.strictObject({ path: z.string() });

export interface FileParts {
  readonly files: ProjectFiles;
  readonly uploads: Uploads;
  readonly live: LiveView;
  readonly sessions: CookieSessions;
  readonly sessionOf: (request: FastifyRequest) => Session | undefined;
}

/** The project's files: a list, downloads, uploads. */
export function addFileRoutes(
  app: FastifyInstance,
  { files, uploads, live, sessions, sessionOf }: FileParts,
): void {
  let downloads = 0;
  void app.register(async (routes) => {
    // Read as it comes, by whoever knows how much may come.
    routes.addContentTypeParser('application/octet-stream', (_request, payload, done) => done(null, payload));
    routes.addHook('onRequest', async (request, reply) => {
      const session = sessionOf(request);
      if (!session) return reply.code(401).send(LOGGED_OUT);
      // Copying is work, too: a session does not end in the middle of it.
      sessions.touch(session);
      if (!live.hasProject)
        throw new FilesError(409, 'file-not-open', 'The project is not open at the moment.');
      return undefined;
    });
    routes.setErrorHandler(async (error, request, reply) => answer(error, request, reply));
    routes.addHook('onClose', async () => uploads.close());

    routes.get('/files', async (request) => files.list(pathSchema.parse(request.query).path));

    routes.get('/files/content', async (request, reply) => {
      if (downloads >= MAX_DOWNLOADS) {
        throw new FilesError(
          429,
          'file-many',
          `${MAX_DOWNLOADS} files are being sent already. Wait for one of them.`,
        );
      }
      const { path } = pathSchema.parse(request.query);
      const { handle, name } = await files.open(path);
      request.log.info({ session: idOf(request), path }, 'download');
      downloads += 1;
      await sendFile(request, reply, { handle, name }).finally(() => {
        downloads -= 1;
      });
      return reply;
    });

    routes.post('/uploads', async (request) => uploads.begin(beginSchema.parse(request.body)));

    routes.put<{ Params: { id: string } }>('/uploads/:id', async (request) => {
      const { offset } = partSchema.parse(request.query);
      const result = await uploads.append(
        idSchema.parse(request.params.id),
        offset,
        // A part without a byte has no body: a file that is empty, or that waits for its place alone. One that is
        // refused keeps its connection, so that the answer arrives.
        (request.body as Readable | undefined)?.iterator({ destroyOnReturn: false }) ?? [],
      );
      if (result.path !== undefined)
        request.log.info({ session: idOf(request), path: result.path }, 'upload');
      return result;
    });

    routes.delete<{ Params: { id: string } }>('/uploads/:id', async (request, reply) => {
      await uploads.remove(idSchema.parse(request.params.id));
      return reply.code(204).send();
    });
  });
  const idOf = (request: FastifyRequest) => {
    const session = sessionOf(request);
    return session && shortId(session);
  };
}

function answer(error: unknown, request: FastifyRequest, reply: FastifyReply): FastifyReply {
  if (error instanceof FilesError) {
    return reply.code(error.status).send({ code: error.code, message: error.message });
  }
  const status = error instanceof z.ZodError ? 400 : ((error as { statusCode?: number }).statusCode ?? 500);
  if (status < 500) return reply.code(status).send(PAGE_OUTDATED);
  request.log.error({ err: error }, 'request failed');
  return reply.code(status).send({
    code: 'file-failed',
    message:
      'The volume did not do it. Try again; if it happens again, tell the people who run this instance.',
  });
}
