/** Characters of a line. What the engine writes is far shorter; the rest of a longer one is passed over. */
const MAX_LINE = 1 << 20;

/** The lines of UTF-8 bytes, without their `\n`; errors of the source reach the reader. */
export async function* textLines(bytes: AsyncIterable<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of bytes) {
    const parts = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = (parts.pop() ?? '').slice(0, MAX_LINE);
    yield* parts;
  }
  rest += decoder.decode();
  if (rest !== '') yield rest;
}
