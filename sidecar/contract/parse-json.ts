/** undefined where the text is no JSON: whoever asks judges what it says anyway. */
export function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
