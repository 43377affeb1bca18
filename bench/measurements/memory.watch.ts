import type { Service } from '../contestants/service.js';
import type { Line } from '../measurement.js';

const EVERY_MS = 500;

/** Watches the resident memory of the service. */
export class MemoryWatch {
  private readonly start = performance.now();
  private readonly points: [number, number][] = [];
  private readonly timer: NodeJS.Timeout;

  constructor(private readonly service: Service) {
    this.timer = setInterval(() => void this.sample(), EVERY_MS);
  }

  /** Most MiB seen. */
  get most(): number {
    return Math.max(...this.points.map(([, mib]) => mib));
  }

  /** MiB over seconds. */
  get line(): Line {
    return { name: 'resident memory', points: this.points };
  }

  /** Ends the watch with a last look. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.sample();
  }

  private async sample(): Promise<void> {
    const mib = await this.service.residentMiB();
    // Not a number once the process has ended.
    if (mib > 0) this.points.push([(performance.now() - this.start) / 1_000, mib]);
  }
}
