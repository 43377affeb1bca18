/** Ends the suite's PostgreSQL. */
export default async function tearDown(): Promise<void> {
  await globalThis.testCluster?.stop();
}
