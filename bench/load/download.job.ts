import { request } from 'node:http';

/** A GET whose answer is read and thrown away. */
export interface DownloadOptions {
  readonly url: string;
  readonly token: string;
}

/** What came. */
export interface DownloadResult {
  readonly seconds: number;
  readonly bytes: number;
  readonly lines: number;
}

const LINE_FEED = 10;

/** Downloads, and counts bytes and lines. */
export async function download({ url, token }: DownloadOptions): Promise<DownloadResult> {
  const start = performance.now();
  return await new Promise((resolve, reject) => {
    const sent = request(url, { headers: { authorization: `Bearer ${token}` } }, (answer) => {
      let bytes = 0;
      let lines = 0;
      answer.on('data', (chunk: Buffer) => {
        bytes += chunk.length;
        for (let at = chunk.indexOf(LINE_FEED); at >= 0; at = chunk.indexOf(LINE_FEED, at + 1)) lines += 1;
      });
      answer.on('error', reject);
      answer.on('end', () => {
        if (answer.statusCode !== 200) reject(new Error(`${url} answered ${answer.statusCode ?? 0}`));
        resolve({ seconds: (performance.now() - start) / 1_000, bytes, lines });
      });
    });
    sent.on('error', reject);
    sent.end();
  });
}
