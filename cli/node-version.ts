/** The oldest Node.js that the program runs on: `engines` of package.json. */
export const oldestNode = '22.19';

/** The message for somebody whose Node.js is too old; undefined when it will do. It must itself load on an old one. */
export function nodeProblem(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split('.').map(Number);
  const [oldestMajor = 0, oldestMinor = 0] = oldestNode.split('.').map(Number);
  return major > oldestMajor || (major === oldestMajor && minor >= oldestMinor)
    ? undefined
    : `context-syncer cannot start: it needs Node.js ${oldestNode} or newer, and this is Node.js ${version}.\n`;
}
