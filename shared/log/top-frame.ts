/** A frame's end in V8's notation: a file, `node:` module or URL with line and column, in parentheses or not. */
const frame = /^ {4}at (?:.*\()?(?<place>(?:file:\/\/|node:|\/|[A-Za-z]:\\)[^\s()]+:\d+:\d+)\)?$/;

/** Where an error was made: `file:///app/dist/shared/x.js:10:5`. Undefined when the stack does not tell for certain. */
export function topFrame(error: Error): string | undefined {
  const { stack, message } = error;
  const start = stack?.indexOf(message) ?? -1;
  if (stack === undefined || start < 0) {
    return undefined;
  }
  // The stack begins with the message, which can hold lines that look like frames: search behind it only.
  for (const line of stack
    .slice(start + message.length)
    .split('\n')
    .slice(1)) {
    const place = frame.exec(line)?.groups?.['place'];
    if (place !== undefined) {
      return place;
    }
  }
  return undefined;
}
