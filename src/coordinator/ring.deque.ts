const INITIAL_SLOTS = 16;

/** A first-in-first-out list in a ring that doubles when full: push and shift take constant time at any length. */
export class RingDeque<V> {
  private slots: (V | undefined)[] = new Array<V | undefined>(INITIAL_SLOTS);
  private head = 0;
  private count = 0;

  /** Values in the list. */
  get length(): number {
    return this.count;
  }

  /** The oldest value, or undefined when the list is empty. */
  peek(): V | undefined {
    return this.slots[this.head];
  }

  /** The newest value, or undefined when the list is empty. */
  peekLast(): V | undefined {
    return this.count === 0 ? undefined : this.slots[(this.head + this.count - 1) & (this.slots.length - 1)];
  }

  /** Adds a value at the end. */
  push(value: V): void {
    if (this.count === this.slots.length) this.grow();
    this.slots[(this.head + this.count) & (this.slots.length - 1)] = value;
    this.count++;
  }

  /** Removes and returns the oldest value, or undefined when the list is empty. */
  shift(): V | undefined {
    if (this.count === 0) return undefined;
    const value = this.slots[this.head];
    // A slot left filled would keep a written batch in memory until the ring comes round.
    this.slots[this.head] = undefined;
    this.head = (this.head + 1) & (this.slots.length - 1);
    this.count--;
    return value;
  }

  /** Removes a value wherever it is, in time proportional to the length; false when it is not in the list. */
  remove(value: V): boolean {
    const values = this.values();
    const at = values.indexOf(value);
    if (at < 0) return false;
    values.splice(at, 1);
    this.refill(values, this.slots.length);
    return true;
  }

  private values(): V[] {
    const mask = this.slots.length - 1;
    return Array.from({ length: this.count }, (_, i) => this.slots[(this.head + i) & mask] as V);
  }

  private grow(): void {
    this.refill(this.values(), this.slots.length * 2);
  }

  private refill(values: readonly V[], size: number): void {
    this.slots = new Array<V | undefined>(size);
    values.forEach((value, i) => (this.slots[i] = value));
    this.head = 0;
    this.count = values.length;
  }
}
